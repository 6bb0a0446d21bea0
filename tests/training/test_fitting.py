"""What does not fit is not begun, and the least change that helps is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from preceptor.training import memory
from preceptor.training.fitting import instead, refusal
from preceptor.training.jobs import load_job
from preceptor.training.recipe import Recipe
from preceptor.training.worker import main

from .test_training import Setup


def tried(recipe, on_cuda=False, processes=1):
    """All that is tried, in order."""
    seen = []

    def never(changed):
        seen.append(changed)
        return False

    assert instead(recipe, never, on_cuda, processes) is None
    return seen


def test_the_first_change_that_fits_is_given_and_checked_as_a_whole_recipe():
    recipe = Recipe(batch={"max_length": 2048, "tokens": 2048})
    assert instead(recipe, lambda r: r.checkpointing == "on", False, 1) == {"checkpointing": "on"}
    shorter = instead(recipe, lambda r: r.batch.max_length <= 512, False, 1)
    assert shorter == {"checkpointing": "on", "batch.max_length": 512}
    full = recipe.model_copy(update={"method": recipe.method.model_copy(update={"name": "full"})})
    assert instead(full, lambda r: r.method.name != "full", False, 1) == {"method.name": "lora"}


def test_what_needs_a_gpu_is_offered_only_with_one():
    recipe = Recipe(method={"name": "full"})
    assert {r.method.name for r in tried(recipe)} == {"full", "lora"}
    on_gpus = tried(recipe, on_cuda=True, processes=4)
    assert {r.method.name for r in on_gpus} == {"full", "lora", "qlora"}
    assert {r.zero_stage for r in on_gpus} == {0, 3}
    assert all(r.zero_stage == 0 for r in tried(recipe, on_cuda=True))


def test_no_pack_is_shorter_than_an_example_is_likely_to_be():
    assert min(r.batch.max_length for r in tried(Recipe(batch={"max_length": 700, "tokens": 700}))) == 350
    assert {r.batch.max_length for r in tried(Recipe(batch={"max_length": 300, "tokens": 300}))} == {300}


def test_a_refusal_says_the_estimate_the_change_and_where_else():
    said = str(refusal("memory estimate 9 MB", {"checkpointing": "on", "batch.max_length": 512}, "m", "lora"))
    assert "does-not-fit" in said and "--set checkpointing=on --set batch.max_length=512" in said
    assert "preceptor size --model m --method full" in str(refusal("memory", None, "m", "full"))


@pytest.mark.parametrize("must_fit", [True, False])
def test_the_worker_begins_nothing_that_does_not_fit_unless_told_to(tmp_path, monkeypatch, capfd, must_fit):
    setup = Setup(tmp_path, max_steps=1)
    path = Path(setup.job.folder) / "job.json"
    path.write_text(json.dumps(vars_of(replace(load_job(path), must_fit=must_fit))))
    monkeypatch.setattr(memory, "available", lambda on_cuda: 1_000_000)
    assert main([str(path)]) == (1 if must_fit else 0)
    said = capfd.readouterr().err
    assert ("does-not-fit" in said) == must_fit
    assert (Path(setup.job.folder) / "result.json").exists() != must_fit
    if must_fit:
        assert "preceptor size" in (Path(setup.job.folder) / "failure.txt").read_text()


def vars_of(job):
    return {name: getattr(job, name) for name in job.__slots__}
