"""Every method of fine-tuning, and every way in which a training ends, in this process on the tiny model."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from preceptor.errors import PreceptorError, UsageError
from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.loading import load_model
from preceptor.locks import exclusive
from preceptor.settings import ROOT
from preceptor.training.data import material, to_preferences
from preceptor.training.failures import Diverged, reason
from preceptor.training.recipe import Recipe, load_recipe, schema
from preceptor.training.worker import main, train
from tests.training.test_training import Setup, losses

RATES = {"full": 1e-3, "ia3": 0.3, "prompt": 0.5}


def silent(line):
    """Say nothing."""


def run(folder, **recipe):
    setup = Setup(folder, **recipe)
    return setup, train(setup.job, silent)


@pytest.mark.parametrize("name", ["full", "lora", "rslora", "dora", "pissa", "qlora", "ia3", "prompt"])
def test_every_method_learns_and_its_weights_answer_in_the_evaluation(tmp_path, name):
    recipe = {
        "method": {"name": name, "rank": 4, "alpha": 8},
        "optimizer": {"learning_rate": RATES.get(name, 0.01)},
        "max_steps": 8,
        "precision": "bf16" if name == "qlora" else "fp32",
    }
    if name == "prompt":
        recipe["batch"] = {"tokens": 256, "max_length": 128, "packing": False}
    setup, result = run(tmp_path, **recipe)
    assert result["method"] == name
    assert result["last_loss"] < result["first_loss"] - 0.005
    version = setup.collect()
    whole = name == "full"
    assert (version.path / "model.safetensors").exists() is whole
    path, adapter = (version.path, None) if whole else (setup.base.path, version.path)
    loaded = load_model(ArmModel(name, path, adapter, "x"), "float32")
    assert loaded.whole is (name != "prompt")
    ids = loaded.tokenizer("What is it?", return_tensors="pt")
    written = loaded.model.generate(**ids, max_new_tokens=3, do_sample=False)
    assert written.shape[1] > ids["input_ids"].shape[1]


def test_preferences_move_from_what_was_corrected_to_what_a_clinician_wrote(tmp_path):
    setup, result = run(
        tmp_path,
        objective="preferences",
        method={"name": "lora", "rank": 4, "alpha": 8},
        optimizer={"learning_rate": 0.01},
        batch={"tokens": 256, "max_length": 128, "packing": False},
        max_steps=8,
    )
    assert result["examples"] == 12  # every second one was corrected, and none of these validates
    assert result["first_loss"] == pytest.approx(math.log(2), abs=1e-3)  # no preference yet
    assert result["last_loss"] < math.log(2) - 0.1
    assert (setup.collect().path / "adapter_model.safetensors").exists()


def test_without_a_correction_there_is_nothing_to_prefer(tmp_path):
    setup = Setup(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(setup.base.path)
    rows = [{"example_id": "1", "prompt": "Q", "answer": "A", "replaced": None}]
    assert len(to_preferences(rows, tokenizer, 64)[0]) == 0
    recipe = Recipe(objective="preferences", batch={"packing": False})
    with pytest.raises(PreceptorError, match="no-preferences"):
        material([], recipe, tokenizer)


def test_the_weights_with_the_lowest_validation_loss_are_kept_and_patience_ends_it(tmp_path):
    stopping = {"evaluate_steps": 2, "patience": 2}
    _, result = run(
        tmp_path, method={"name": "full"}, optimizer={"learning_rate": 0.03}, max_steps=60, stopping=stopping
    )
    found = {row["step"]: row["eval_loss"] for row in result["history"] if "eval_loss" in row}
    assert result["ended"] == "no lower validation loss in 2 evaluations"
    assert result["steps"] < 60
    assert result["validation_loss"] == min(found.values()) < list(found.values())[-1]
    assert found[result["kept_step"]] == min(found.values())
    folder = Path(tmp_path / "training" / result["job"])
    assert (folder / "trained" / "model.safetensors").exists()
    assert not (folder / "best").exists()


def test_the_last_weights_are_kept_where_that_is_wanted(tmp_path):
    stopping = {"evaluate_steps": 2, "keep": "last"}
    _, result = run(
        tmp_path, method={"name": "full"}, optimizer={"learning_rate": 0.03}, max_steps=20, stopping=stopping
    )
    assert result["kept_step"] == result["steps"]
    assert result["validation_loss"] == [r["eval_loss"] for r in result["history"] if "eval_loss" in r][-1]


@pytest.mark.parametrize(("rate", "what"), [(3.0, "the loss has exploded"), (1e38, "the loss is not finite")])
def test_a_training_that_diverges_stops_and_says_so(tmp_path, rate, what):
    setup = Setup(tmp_path, method={"name": "full"}, optimizer={"learning_rate": rate}, max_steps=40)
    with pytest.raises(Diverged, match=rf"{what} at step .*training-diverged.*learning_rate"):
        train(setup.job, silent)
    assert not (Path(setup.job.folder) / "result.json").exists()
    run_id = (Path(setup.job.folder) / "mlflow-run").read_text()
    assert setup.client.get_run(run_id).info.status == "FAILED"


def test_killed_after_its_last_step_it_takes_none_too_many(tmp_path):
    setup, whole = run(tmp_path, max_steps=8)
    (Path(setup.job.folder) / "result.json").unlink()
    again = train(setup.job, silent)
    assert again["steps"] == 8
    assert losses(again) == pytest.approx(losses(whole), abs=1e-5)
    assert again["validation_loss"] == pytest.approx(whole["validation_loss"], abs=1e-5)


def test_two_on_one_folder_are_refused(tmp_path, capfd):
    setup = Setup(tmp_path)
    with exclusive(Path(setup.job.folder) / "train.lock", AssertionError):
        assert main([str(Path(setup.job.folder) / "job.json")]) == 1
    assert "training-in-progress" in capfd.readouterr().err


def test_reasons_are_told_without_the_text_of_the_error():
    here = Path.cwd()
    assert "disk-full" in reason(OSError(errno.ENOSPC, "writing Jane Roe"), here)
    assert "disk-full" in reason(RuntimeError("basic_ios::clear: iostream error"), here)
    assert "out-of-memory" in reason(MemoryError("Jane Roe"), here)
    assert reason(ValueError("Jane Roe"), here) == "ValueError"
    try:
        Path("/nowhere/Jane Roe").read_text()
    except OSError as error:
        said = reason(error, here)
    assert (
        said.startswith("FileNotFoundError (No such file or directory), at pathlib.py:")
        and "Jane" not in said
    )


def test_losses_do_not_depend_on_what_was_trained_before_in_the_same_process(tmp_path):
    first = run(tmp_path / "a", max_steps=4)[1]
    assert losses(run(tmp_path / "b", max_steps=4)[1]) == losses(first)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": {"name": "prompt"}},
        {"method": {"name": "qlora"}, "zero_stage": 3},
        {"method": {"name": "lorra"}},
    ],
)
def test_a_recipe_that_cannot_be_is_refused_when_it_is_read(tmp_path, wrong):
    (tmp_path / "recipe.yaml").write_text(json.dumps(wrong))
    with pytest.raises(UsageError):
        load_recipe(tmp_path / "recipe.yaml")


def test_the_schema_for_editors_is_that_of_the_recipe():
    kept = json.loads((ROOT / "recipes" / "train" / "recipe.schema.json").read_text())
    assert kept == schema(), "preceptor train --schema > recipes/train/recipe.schema.json"
    for path in (ROOT / "recipes" / "train").glob("*.yaml"):
        assert path.read_text().startswith("# yaml-language-server: $schema=recipe.schema.json\n"), path.name
    assert set(Recipe.model_fields) == set(kept["properties"])
