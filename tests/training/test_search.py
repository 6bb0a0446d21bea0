from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from preceptor.errors import PreceptorError, UsageError
from preceptor.models import resolve
from preceptor.release.registry import experiment, tracking_of
from preceptor.settings import ROOT, Settings, TrainingSettings, Workspace
from preceptor.tables import EXAMPLES, write_examples
from preceptor.training.checkpoints import MARKER
from preceptor.training.jobs import plan_job
from preceptor.training.recipe import Recipe, load_recipe
from preceptor.training.search import run as run_module
from preceptor.training.search.results import picture
from preceptor.training.search.run import Search, Searched, run_search
from preceptor.training.search.space import Pruning, Space, load_space
from preceptor.training.search.stage import search
from preceptor.training.search.study import Outcome, Study, Trial, ceilings
from preceptor.training.search.trainer import Trainer
from preceptor.versions import make_version
from tests.training.test_training import SMALL, WORDS, empty_store, examples

LORA = ROOT / "recipes" / "train" / "lora-cpu.yaml"
SPACE = Space(
    trial={"max_steps": 4, "evaluate_steps": 2},
    sampler={"random": 2},
    pruning={"rule": "none"},
    floats={"optimizer.learning_rate": {"low": 0.001, "high": 0.02, "log": True}},
    choices={"method.rank": [4, 16]},
)


def planned(home: Path, space: Space = SPACE) -> Search:
    """A search on the examples of the other tests, and a test split of which no row fits into a pack."""
    workspace = Workspace(home)
    workspace.mlflow.mkdir(parents=True, exist_ok=True)
    store = workspace.mlflow / "mlflow.db"
    if not store.exists():
        store.write_bytes(empty_store())

    def write(folder):
        rows = examples()
        prompt = " ".join(40 * WORDS)
        tested = [replace(r, example_id=f"t-{r.example_id}", split="test", prompt=prompt) for r in rows]
        write_examples(folder / EXAMPLES, rows + tested)
        return {}

    data = [make_version(workspace.data, "curated", inputs={}, config=1, code="1", write=write)]
    recipe = Recipe(**(SMALL | {"checkpoint_steps": 1}))
    return Search(workspace, resolve("tiny", workspace), data, recipe, space, TrainingSettings(processes=1))


def go_on(home: Path, wanted: int, space: Space = SPACE, say=lambda line: None) -> Searched:
    found = planned(home, space)
    tracking = tracking_of(found.workspace)
    return run_search(found, wanted, tracking.uri, lambda: experiment(tracking, "search"), say)


def in_second_trial(trials: Path) -> bool:
    """Whether one trial has ended and another has a whole checkpoint."""
    begun = {marker.parents[2] for marker in trials.glob(f"*/checkpoints/*/{MARKER}")}
    ended = {result.parent for result in trials.glob("*/result.json")}
    return bool(ended and begun - ended)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory) -> tuple[Search, Searched, dict]:
    """A search that was killed in its second trial and went on; its third trial is given up at its first evaluation. With
    what there was when it was killed."""
    home = tmp_path_factory.mktemp("search")
    found = planned(home)
    code = "import sys; from pathlib import Path; from tests.training.test_search import go_on; go_on(Path(sys.argv[1]), 3)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, home],
        cwd=ROOT,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    trials = found.folder / "trials"
    deadline = time.monotonic() + 200
    while not in_second_trial(trials):
        assert process.poll() is None, process.stderr.read()[-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = {file: file.read_text() for file in trials.glob("*/*.json")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "ceilings", lambda trials, pruning: {2: 0.5} if len(trials) == 2 else {})
        return found, go_on(home, 3), before


def test_a_killed_search_goes_on_and_trains_no_finished_trial_again(resumed):
    found, searched, before = resumed
    (finished,) = [file for file in before if file.name == "result.json"]
    assert finished.read_text() == before[finished]
    assert searched.new == 2
    # The one that was killed had the same values again: its job is the same.
    jobs = {file: text for file, text in before.items() if file.name == "job.json"}
    assert len(jobs) == 2
    assert {file: file.read_text() for file in jobs} == jobs
    states = [(row["number"], row["state"]) for row in searched.facts["trials"]]
    assert states == [(1, "complete"), (2, "complete"), (3, "pruned")]
    assert len(list((found.folder / "trials").iterdir())) == 3
    again = go_on(found.workspace.home, 3)
    assert (again.new, again.facts) == (0, searched.facts)


def test_the_first_trial_is_the_recipe_as_it_is_and_a_pruned_one_ends_early(resumed):
    found, searched, _ = resumed
    first, second, third = searched.facts["trials"]
    assert first["values"] == {"method.rank": 16, "optimizer.learning_rate": 0.01} != second["values"]
    assert searched.facts["own"] == first
    assert [step for step, _ in first["evaluations"]] == [2, 4]
    assert [step for step, _ in third["evaluations"]] == [2]
    assert third["reason"] == "above 0.5000, the median of earlier trials at this step"


def test_the_best_recipe_is_the_recipe_with_other_values_and_its_own_length(resumed):
    found, searched, _ = resumed
    best = min(searched.facts["trials"][:2], key=lambda row: row["validation_loss"])
    assert searched.facts["best"] == best
    expected = load_recipe_of(found.recipe, best["values"])
    assert load_recipe(searched.best_recipe) == expected
    assert expected.max_steps == 16


def load_recipe_of(recipe: Recipe, values: dict) -> Recipe:
    method = recipe.method.model_copy(update={"rank": values["method.rank"]})
    optimizer = recipe.optimizer.model_copy(update={"learning_rate": values["optimizer.learning_rate"]})
    return recipe.model_copy(update={"method": method, "optimizer": optimizer})


def test_no_row_of_the_test_split_is_trained_or_measured_on(resumed):
    """Every row of it is too long for a pack: where it was read, it would be counted."""
    found, _, _ = resumed
    rows = examples()
    for file in (found.folder / "trials").glob("*/result.json"):
        result = json.loads(file.read_text())
        assert result["examples"] == sum(row.split == "train" for row in rows)
        assert result["validation_examples"] == sum(row.split == "validation" for row in rows)
        assert result["examples_too_long"] == 0


def test_trials_are_shown_under_their_search_in_mlflow(resumed):
    import mlflow

    found, searched, _ = resumed
    tracking = tracking_of(found.workspace)
    client = mlflow.MlflowClient(tracking.uri)
    runs = {run.info.run_id: run for run in client.search_runs([experiment(tracking, "search")])}
    trials = [runs.pop(row["run_id"]) for row in searched.facts["trials"]]
    (parent,) = runs.values()
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert {run.info.status for run in (*trials, parent)} == {"FINISHED"}
    assert trials[2].data.tags["preceptor.trial"] == "3 pruned"
    shown = client.get_metric_history(parent.info.run_id, "lowest_validation_loss")
    assert sorted({m.step for m in shown}) == [1, 2, 3]
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert files == {"best-recipe.yaml", "search.png", "trials.json"}


def test_losses_are_kept_and_weights_are_not(resumed):
    found, searched, _ = resumed
    assert not [part for part in (found.folder / "trials").glob("*/*") if part.is_dir()]
    assert searched.plot.read_bytes().startswith(b"\x89PNG")
    assert json.loads(searched.trials.read_text()) == searched.facts


def test_the_command_shows_trials_and_what_to_do_next(resumed, monkeypatch, capsys):
    from preceptor.cli import root

    found, searched, _ = resumed
    asked = []

    def finished(*given):
        asked.append(given[4:7])
        return searched

    monkeypatch.setattr("preceptor.training.search.stage.search", finished)
    home = ["--home", str(found.workspace.home)]
    root.main([*home, "search", "--trials", "3"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "pruned" in said
    assert f"{searched.facts['best']['validation_loss']:.4f}" in said
    root.main([*home, "search", "--recipe", "r.yaml", "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["best_recipe"] == str(searched.best_recipe)
    assert asked == [(None, None, 3), (os.path.abspath("r.yaml"), None, None)]


def test_the_asset_shows_the_best_recipe_and_the_picture(resumed, monkeypatch):
    import dagster as dg

    from assets.search import recipe_search
    from resources import WorkspaceResource

    found, searched, _ = resumed
    monkeypatch.setattr("preceptor.training.search.stage.search", lambda *given, **named: searched)
    resources = {"workspace": WorkspaceResource(home=str(found.workspace.home))}
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([recipe_search], resources=resources, instance=instance)
    (made,) = done.get_asset_materialization_events()
    metadata = made.materialization.metadata
    assert searched.best_recipe.read_text() in metadata["best recipe"].value
    assert "data:image/png;base64" in metadata["losses"].value
    assert metadata["lowest validation loss"].value == searched.facts["best"]["validation_loss"]


def measured(values: dict) -> Outcome:
    loss = 2 + abs(values["optimizer.learning_rate"] - 0.005) * 10 + values["method.rank"] / 100
    return Outcome("complete", loss, ((2, loss + 0.1), (4, loss)))


def suggestions(file: Path, space: Space, count: int, sittings: int = 1) -> list[dict]:
    for _ in range(sittings):
        study = Study(file, space)
        for _ in range(count // sittings):
            values = study.suggest(None)
            study.add(values, measured(values))
    return [trial.values for trial in study.trials()]


def test_the_same_seed_gives_the_same_trials_in_one_sitting_or_several(tmp_path):
    turned = {"choices": SPACE.choices, "floats": SPACE.floats, "seed": SPACE.seed}
    whole = suggestions(tmp_path / "a.db", SPACE, 6)
    assert suggestions(tmp_path / "b.db", SPACE, 6, sittings=3) == whole
    assert suggestions(tmp_path / "c.db", Space(**{**SPACE.model_dump(), **turned}), 6) == whole
    assert suggestions(tmp_path / "d.db", SPACE.model_copy(update={"seed": 21}), 6) != whole
    assert len({tuple(values.items()) for values in whole}) == 6
    assert all(SPACE.holds(key, value) for values in whole for key, value in values.items())


def test_trials_come_back_from_the_study_as_they_went_in(tmp_path):
    study = Study(tmp_path / "study.db", SPACE)
    values = {"method.rank": 4, "optimizer.learning_rate": 1 / 300}
    outcomes = [
        Outcome("complete", 2.5, ((2, 2.6), (4, 2.5)), seconds=3.5, run_id="r"),
        Outcome("pruned", 3.5, ((2, 3.5),), "above the median"),
        Outcome("failed", reason="out of memory"),
    ]
    for outcome in outcomes:
        study.add(values, outcome)
    kept = Study(tmp_path / "study.db", SPACE).trials()
    assert kept == [Trial(n + 1, values, outcome) for n, outcome in enumerate(outcomes)]
    assert picture(kept, SPACE).startswith(b"\x89PNG")


def test_the_sampler_learns_where_trials_fail(tmp_path):
    """The loss falls with the rate until trainings diverge. Were it not told of them, nearly all would."""
    study = Study(tmp_path / "study.db", SPACE)
    for _ in range(16):
        values = study.suggest(None)
        rate = values["optimizer.learning_rate"]
        study.add(
            values, Outcome("failed", reason="diverged") if rate > 0.004 else Outcome("complete", 2 - rate)
        )
    states = [trial.outcome.state for trial in study.trials()]
    assert "failed" in states[:8]
    assert states[8:].count("failed") <= 4


def test_ceilings_give_up_the_trials_that_optunas_median_pruner_would(tmp_path):
    import random

    import optuna

    drawn = random.Random(4)
    trials, study = [], optuna.create_study(pruner=optuna.pruners.MedianPruner(4, n_warmup_steps=2))
    for number in range(1, 40):
        losses = [drawn.uniform(2, 3) for _ in range(4)]
        asked = study.ask()
        found = ceilings(trials, Pruning(trials=4, evaluations=1))
        for n, loss in enumerate(losses):
            asked.report(loss, step=2 * n + 1)
            ours = 2 * n + 1 in found and min(losses[: n + 1]) > found[2 * n + 1]
            assert ours == asked.should_prune()
        study.tell(asked, losses[-1])
        evaluations = tuple((2 * n + 1, loss) for n, loss in enumerate(losses))
        trials.append(Trial(number, {}, Outcome("complete", losses[-1], evaluations)))
    assert not ceilings(trials, Pruning(rule="none"))


def told(monkeypatch, *endings: str | int | float | None) -> list[Path]:
    """Let trainings end so, one after the other: a loss, the words of a failure, the code of an exit, or no evaluation."""
    left, trained = list(endings), []

    def train(self, job):
        ending, folder = left.pop(0), Path(job.folder)
        trained.append(folder)
        (folder / "checkpoints").mkdir(exist_ok=True)
        if isinstance(ending, str):
            (folder / "failure.txt").write_text(ending)
            return 1
        if isinstance(ending, int):
            return ending
        history = [{"step": 4, "eval_loss": ending}] if ending is not None else []
        result = {
            "validation_examples": 3,
            "seconds": 1.0,
            "run_id": "",
            "ended": "finished",
            "history": history,
        }
        (folder / "result.json").write_text(json.dumps(result))
        return 0

    monkeypatch.setattr(Trainer, "train", train)
    monkeypatch.setattr(run_module, "picture", lambda trials, space: b"")  # a second each
    return trained


def test_a_failed_trial_is_kept_with_its_reason_and_the_search_goes_on(tmp_path, monkeypatch):
    told(
        monkeypatch, 2.5, "the loss is not finite (rule training-diverged).", -9, 11, None, float("nan"), 2.25
    )
    lines = []
    found = go_on(tmp_path, 7, say=lines.append)
    rows = found.facts["trials"]
    assert [row["state"] for row in rows] == ["complete", *["failed"] * 5, "complete"]
    assert "training-diverged" in rows[1]["reason"]
    assert "killed" in rows[2]["reason"]
    assert "exit code 11" in rows[3]["reason"]
    assert "before its first evaluation" in rows[4]["reason"]
    assert "not finite" in rows[5]["reason"]
    assert found.facts["best"]["number"] == 7
    assert any("training-diverged" in line for line in lines)
    assert not list(found.folder.glob("trials/*/checkpoints"))


def test_values_that_do_not_fit_together_are_a_failed_trial(tmp_path, monkeypatch):
    told(monkeypatch, 2.5, 2.5, 2.5, 2.5)
    space = Space(**{**SPACE.model_dump(exclude={"floats"}), "choices": {"method.name": ["lora", "prompt"]}})
    rows = go_on(tmp_path, 4, space).facts["trials"]
    failed = [row for row in rows if row["values"] == {"method.name": "prompt"}]
    assert failed
    assert all("batch.packing: false" in row["reason"] for row in failed)


@pytest.mark.parametrize("ending", ["no space left (rule disk-full).", 143])
def test_what_is_not_the_fault_of_a_trial_stops_the_search_and_the_trial_is_tried_again(
    tmp_path, monkeypatch, ending
):
    trained = told(monkeypatch, 2.5, ending, 2.25)
    with pytest.raises(PreceptorError, match="The same command goes on"):
        go_on(tmp_path, 2)
    assert (trained[1] / "checkpoints").exists()
    assert [row["state"] for row in go_on(tmp_path, 2).facts["trials"]] == ["complete", "complete"]
    assert trained[1] == trained[2]


def test_a_search_in_which_all_fails_ends(tmp_path, monkeypatch):
    told(monkeypatch, *["out of memory (rule out-of-memory)."] * 4)
    for trials in (3, 4):
        with pytest.raises(PreceptorError, match=f"Of {trials} trials none .*rule out-of-memory"):
            go_on(tmp_path, 5)


def test_trials_run_where_the_training_would(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: called.append(command) or subprocess.CompletedProcess([], 5)
    )
    hosts = tmp_path / "hosts"
    hosts.write_text("node-1 slots=2\nnode-2 slots=2\n")
    for settings in (TrainingSettings(processes=2), TrainingSettings(hostfile=str(hosts))):
        found = replace(planned(tmp_path), settings=settings)
        job = plan_job(
            found.workspace, found.base, found.datasets, found.recipe, settings, "", "", within=tmp_path
        )
        with Trainer(settings) as trainer:
            assert trainer.train(job) == 5
    assert [job.count(str(hosts)) for job in map(" ".join, called)] == [0, 1]
    assert "torch" in " ".join(called[0])


def test_more_trials_are_the_same_search_and_another_space_is_another(tmp_path, monkeypatch):
    told(monkeypatch, 2.5, 2.25, 2.0, 1.9)
    assert go_on(tmp_path, 2).new == 2
    assert go_on(tmp_path, 3, SPACE.model_copy(update={"trials": 3})).new == 1
    assert go_on(tmp_path, 1, SPACE.model_copy(update={"seed": 1})).new == 1


@pytest.mark.parametrize(
    "path", sorted((ROOT / "recipes" / "search").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_shipped_space_is_valid_and_holds_the_recipe_as_it_is(path):
    recipe = load_recipe(LORA)
    assert load_space(path, recipe).own(recipe)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trails: 3", "line 1: trails: unknown key"),
        ("seed: 3", "line 1: floats: name a key of the recipe"),
        (
            "metric: test_loss\nints: {method.rank: {low: 2, high: 8}}",
            "line 1: metric: Input should be 'valid",
        ),
        (
            "floats:\n  optimizer.lr: {low: 1, high: 2}",
            "line 2: floats.optimizer.lr.low: 1.0: no key of a recipe",
        ),
        (
            "floats:\n  optimizer.learning_rate:\n    high: 2",
            "line 2: floats.optimizer.learning_rate.low: Field req",
        ),
        (
            "floats:\n  optimizer.learning_rate:\n    low: -1\n    high: 2",
            "line 3: .*-1.0: .* greater than 0",
        ),
        ("floats: {optimizer.learning_rate: {low: 2, high: 2}}", "line 1: .*low must be below high"),
        ("floats:\n  method.dropout: {low: 0, high: 0.5, log: true}", "line 2: .*low must be above 0"),
        ("floats:\n  method.rank: {low: 4, high: 32}", "line 2: floats.method.rank: .* integer"),
        ("choices:\n\n  method.name: [lora, dorra]", "line 3: choices.method.name: 'dorra': "),
        ("choices:\n  method.rank: [4, 4]", "line 2: choices.method.rank: name two different"),
        ("choices:\n  seed: [1, 2]", "line 2: choices.seed: cannot vary"),
        ("choices:\n  objective: [answers, notes]", "line 2: choices.objective: cannot vary"),
        ("ints:\n  stopping.patience: {low: 1, high: 3}", "line 2: ints.stopping.patience: cannot vary"),
        (
            "ints: {method.rank: {low: 2, high: 8}}\nchoices:\n  method.rank: [4, 8]",
            "line 3: choices.method.rank: stands in two sections",
        ),
        ("pruning:\n  rule: median\nchoices: {batch.tokens: [512, 1024]}", "line 2: pruning.rule: "),
        ("seed: 1\n  trials: 2", "line 2: this is not valid YAML"),
    ],
)
def test_a_wrong_space_names_key_file_and_line(tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"mine.yaml, {said}"):
        load_space(path, load_recipe(LORA))


def test_what_cannot_be_searched_is_said_before_anything_is_read(tmp_path):
    def asked(recipe: str, **training) -> None:
        settings = Settings(training=training)
        search(Workspace(tmp_path), settings, "", lambda: "", recipe_file=recipe)

    with pytest.raises(UsageError, match="takes objective: answers"):
        asked("recipes/train/dpo-cpu.yaml")
    for overrides in ({"optimizer": {"learning_rate": 1e-3}}, {"optimizer.learning_rate": 1e-3}):
        with pytest.raises(UsageError, match=r"training.overrides: optimizer.learning_rate"):
            asked("recipes/train/lora-cpu.yaml", overrides=overrides)
    assert not list(tmp_path.iterdir())
