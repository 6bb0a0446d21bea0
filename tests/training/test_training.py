from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from benchmarks.faults.mlflow_story import Server
from preceptor.errors import PreceptorError, UsageError
from preceptor.models import resolve
from preceptor.records import Example
from preceptor.settings import ROOT, TrainingSettings, Workspace
from preceptor.tables import EXAMPLES, write_examples
from preceptor.training.checkpoints import MARKER, last_checkpoint, seal_checkpoint, written_by
from preceptor.training.data import to_chats
from preceptor.training.jobs import (
    collect,
    command,
    environment,
    finished_version,
    hosts,
    plan_job,
    why_stopped,
)
from preceptor.training.recipe import Recipe, load_recipe
from preceptor.training.universal import universal_needed
from preceptor.versions import make_version

WORDS = "the patient has pain in left knee after fall and takes aspirin for it since two weeks with good effect".split()
SMALL = {
    "batch": {"tokens": 256, "max_length": 128, "packing": True},
    "max_steps": 16,
    "checkpoint_steps": 4,
    "precision": "fp32",
    "optimizer": {"learning_rate": 0.01},
}


def examples(count=24):
    return [
        Example(
            example_id=f"e-{n:03d}",
            task="summary",
            split="validation" if n % 8 == 0 else "train",
            patient_ref=f"p-{n}",
            document_refs=(f"d-{n}",),
            specialty="general",
            prompt="Summarise.\n\n" + " ".join(WORDS[(n + i) % len(WORDS)] for i in range(24)),
            answer=" ".join(WORDS[(n + i) % len(WORDS)] for i in range(6)),
            replaced="nothing of note" if n % 2 else None,
        )
        for n in range(count)
    ]


@functools.cache
def empty_store() -> bytes:
    """An MLflow store as it is made: its migrations take seconds."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
        return (Path(folder) / "mlflow.db").read_bytes()


class Setup:
    def __init__(self, home: Path, processes: int = 0, hostfile: str = "", server: str = "", **recipe):
        """`server`: the address of an MLflow server; none: a file in the home."""
        import mlflow

        self.workspace = Workspace(home)
        self.base = resolve("tiny", self.workspace)
        self.recipe = Recipe(**(SMALL | recipe))
        self.settings = TrainingSettings(processes=processes, hostfile=hostfile)

        def write(folder):
            write_examples(folder / EXAMPLES, examples())
            return {}

        self.data = [make_version(home / "data", "curated", inputs={}, config=1, code="1", write=write)]
        self.workspace.mlflow.mkdir(parents=True, exist_ok=True)
        store = self.workspace.mlflow / "mlflow.db"
        if not store.exists():
            store.write_bytes(empty_store())
        uri = server or f"sqlite:///{store}"
        client = mlflow.MlflowClient(uri)
        found = client.get_experiment_by_name("t")
        experiment = found.experiment_id if found else client.create_experiment("t")
        self.client = client
        self.job = plan_job(self.workspace, self.base, self.data, self.recipe, self.settings, uri, experiment)

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            command(self.job),
            env=os.environ | environment(self.job) | {"PYTHONWARNINGS": "ignore"},
            cwd=ROOT,
            start_new_session=True,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_until_checkpoint(self) -> tuple[subprocess.Popen, Path]:
        """The process, and the marker of its first whole checkpoint."""
        process = self.start()
        marker = Path(self.job.folder) / "checkpoints" / "checkpoint-4" / MARKER
        deadline = time.monotonic() + 600  # a fresh machine compiles an operator first
        while not marker.exists():
            assert process.poll() is None, process.stderr.read()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process, marker

    def finish(self) -> dict:
        process = self.start()
        _, said = process.communicate(timeout=400)
        assert process.returncode == 0, said[-12000:]
        return json.loads((Path(self.job.folder) / "result.json").read_text())

    def collect(self):
        return collect(self.workspace, self.job, self.base, self.data, self.recipe)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    setup = Setup(tmp_path_factory.mktemp("undisturbed"))
    return setup, setup.finish()


def losses(result):
    return [row["loss"] for row in result["history"] if "loss" in row]


def test_training_learns_and_leaves_a_version_that_is_not_trained_again(undisturbed):
    setup, result = undisturbed
    assert result["ended"] == "finished"
    assert result["last_loss"] < result["first_loss"] - 0.5
    version = setup.collect()
    assert (version.path / "adapter_model.safetensors").exists()
    assert (version.path / "tokenizer.json").exists()
    found = finished_version(setup.workspace, setup.base, setup.data, setup.recipe)
    assert found.name == version.name


def test_loss_and_speed_reach_mlflow_while_it_runs(undisturbed):
    setup, result = undisturbed
    history = setup.client.get_metric_history(result["run_id"], "loss")
    assert [m.step for m in history] == list(range(1, 17))
    assert setup.client.get_metric_history(result["run_id"], "tokens_per_second")
    run = setup.client.get_run(result["run_id"])
    assert run.info.status == "FINISHED"
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("curated", setup.data[0].name)
    assert json.loads(used.dataset.profile)["num_rows"] == len(examples())
    assert examples()[0].answer not in used.dataset.schema + used.dataset.profile


def test_killed_with_9_and_resumed_it_ends_with_the_same_losses(undisturbed, tmp_path):
    _, whole = undisturbed
    setup = Setup(tmp_path)
    process, marker = setup.start_until_checkpoint()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    with pytest.raises(PreceptorError, match="no result"):
        setup.collect()
    # A later checkpoint that lost its optimizer must not count: it would go on with a fresh one, silently.
    torn = marker.parent.parent / "checkpoint-99"
    torn.mkdir()
    (torn / "trainer_state.json").write_text("{}")
    resumed = setup.finish()
    assert not torn.exists()
    assert losses(resumed) == pytest.approx(losses(whole), abs=1e-3)
    assert len(setup.client.search_runs(["1"])) == 1


def test_told_to_stop_it_writes_a_checkpoint_and_goes_on_to_the_same_losses(undisturbed, tmp_path):
    """As a spot machine gives notice: SIGTERM."""
    _, whole = undisturbed
    setup = Setup(tmp_path)
    process, marker = setup.start_until_checkpoint()
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said[-2000:]
    assert "SIGTERM with a checkpoint at step" in said
    (stopped,) = setup.client.search_runs(["1"])
    assert stopped.info.status == "KILLED"
    assert not (Path(setup.job.folder) / "result.json").exists()
    assert last_checkpoint(marker.parent.parent, setup.job.digest).name != "checkpoint-4"
    assert losses(setup.finish()) == pytest.approx(losses(whole), abs=1e-3)


def test_training_that_loses_mlflow_stops_with_a_checkpoint_and_goes_on_to_the_same_losses(
    undisturbed, tmp_path, monkeypatch
):
    _, whole = undisturbed
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    server = Server(tmp_path / "mlflow-server")
    server.start()
    try:
        setup = Setup(tmp_path, server=server.uri)
        process, marker = setup.start_until_checkpoint()
        server.kill()
        _, said = process.communicate(timeout=120)
        assert process.returncode == 1 and "Traceback" not in said, said[-2000:]
        assert "rule mlflow-away" in said and server.uri in said and "with a checkpoint at step" in said
        assert why_stopped(setup.job).count(server.uri) == 1
        assert last_checkpoint(marker.parent.parent, setup.job.digest).name != "checkpoint-4"
        server.start()
        assert losses(setup.finish()) == pytest.approx(
            losses(whole), abs=1e-3
        )  # all, also what MLflow was not told
        (run,) = setup.client.search_runs([setup.job.experiment_id])
        assert run.info.status == "FINISHED"
    finally:
        server.stop()


def test_a_worker_that_left_no_word_is_said_to_have_been_killed(tmp_path):
    setup = Setup(tmp_path)
    assert "rule worker-killed" in why_stopped(setup.job)


def test_a_checkpoint_counts_only_whole_and_only_for_its_job(tmp_path):
    for step in (4, 8, 12):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "optimizer.pt").write_bytes(b"x" * step)
        (folder / "trainer_state.json").write_text("{}")
        seal_checkpoint(folder, "job")
    (tmp_path / "checkpoint-12" / "optimizer.pt").write_bytes(b"x" * 11 + b"y")  # of the same length
    (tmp_path / "checkpoint-16").mkdir()
    assert last_checkpoint(tmp_path, "job") == tmp_path / "checkpoint-8"
    assert last_checkpoint(tmp_path, "another") is None


def test_killed_with_three_processes_under_zero_2_it_goes_on_with_two(undisturbed, tmp_path):
    """CPU processes over gloo stand for devices; the first run compiles a small operator."""
    _, alone = undisturbed
    recipe = {"zero_stage": 2, "batch": SMALL["batch"] | {"tokens": 768}, "max_steps": 8}
    process, marker = Setup(tmp_path, processes=3, **recipe).start_until_checkpoint()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert written_by(marker.parent) == (3, 6)
    result = Setup(tmp_path, processes=2, **recipe).finish()
    assert result["processes"] == 2 and result["steps"] == 8
    # The optimizer was carried over: a fresh one would start its warm-up and its moments anew.
    assert list((marker.parent.parent).glob("checkpoint-*/latest_universal"))
    assert losses(result)[0] == pytest.approx(losses(alone)[0], abs=0.1)
    assert len(losses(result)) == 8 and losses(result)[-1] < losses(result)[0] - 0.2


def test_a_hostfile_starts_deepspeed_on_all_its_machines(tmp_path):
    file = tmp_path / "hosts"
    file.write_text("node-1 slots=8  # the first\n\nnode-2 slots=4\n")
    assert hosts(file) == {"node-1": 8, "node-2": 4}
    setup = Setup(tmp_path, hostfile=str(file))
    assert setup.job.processes == 12
    line = command(setup.job, hostfile=str(file))
    assert line[1:5] == ["-m", "deepspeed.launcher.runner", "--hostfile", str(file)]
    assert not any(part.startswith("--num_gpus") for part in line)
    with pytest.raises(PreceptorError, match="rule hostfile-launcher"):
        command(setup.job, "torchrun", hostfile=str(file))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("node-1\n", "line 1: .* hostfile-line"),
        ("a slots=2\na slots=2\n", "line 2"),
        ("# none\n", "names no machine"),
        (None, "hostfile-missing"),
    ],
)
def test_a_wrong_hostfile_is_named_by_line(tmp_path, text, rule):
    file = tmp_path / "hosts"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match=rule):
        hosts(file)


def test_other_processes_that_cannot_take_the_same_batch_are_refused(tmp_path):
    folder = tmp_path / "checkpoint-4"
    folder.mkdir()
    seal_checkpoint(folder, "job", processes=2, batch=2)
    recipe = Recipe(**SMALL)
    assert not universal_needed(None, recipe, 3)
    assert not universal_needed(folder, recipe, 2)
    assert not universal_needed(folder, recipe, 1)  # without ZeRO each process has all of it
    assert universal_needed(folder, Recipe(**SMALL, zero_stage=1), 1)
    with pytest.raises(PreceptorError, match="rule other-batch"):
        universal_needed(folder, recipe, 3)


def test_scoring_the_answers_alone_gives_the_loss_and_gradients_of_trl(tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from preceptor.training.answer_loss import AnswerLossTrainer, supports

    base = resolve("tiny", Workspace(tmp_path))
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    rows = [{"example_id": e.example_id, "prompt": e.prompt, "answer": e.answer} for e in examples(6)]
    chats, _ = to_chats(rows, tokenizer, 512)

    def loss_and_gradients(kind, packing, items=None):
        model = AutoModelForCausalLM.from_pretrained(base.path)
        assert supports(model)
        trainer = kind(
            model=model,
            args=SFTConfig(
                output_dir=str(tmp_path),
                use_cpu=True,
                bf16=False,
                report_to="none",
                gradient_checkpointing=False,
                packing=packing,
                max_length=512,
            ),
            train_dataset=chats,
            processing_class=tokenizer,
        )
        batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(trainer.train_dataset))])
        loss = trainer.compute_loss(trainer.model.train(), batch, num_items_in_batch=items)
        loss.backward()
        return loss.item(), torch.cat([p.grad.flatten() for p in trainer.model.parameters()])

    for packing, items in ((False, None), (True, None), (True, torch.tensor(100))):
        ours, our_gradients = loss_and_gradients(AnswerLossTrainer, packing, items)
        theirs, their_gradients = loss_and_gradients(SFTTrainer, packing, items)
        assert ours == pytest.approx(theirs, abs=1e-5)
        assert torch.allclose(our_gradients, their_gradients, atol=1e-6)
    padded, packed = (loss_and_gradients(AnswerLossTrainer, packing)[0] for packing in (False, True))
    assert packed == pytest.approx(padded, abs=1e-4), "packed examples see each other"


def test_an_example_that_is_too_long_is_counted_and_not_cut(tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve("tiny", Workspace(tmp_path)).path)
    rows = [
        {"example_id": "1", "prompt": "short", "answer": "yes"},
        {"example_id": "2", "prompt": "long " * 500, "answer": "no"},
    ]
    chats, too_long = to_chats(rows, tokenizer, 100)
    assert (len(chats), too_long) == (1, 1)
    with pytest.raises(PreceptorError, match="example-too-long"):
        to_chats(rows[1:], tokenizer, 100)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes" / "train").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_recipe_is_valid(path):
    load_recipe(path)


def test_a_wrong_recipe_names_key_file_and_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("method: {name: lora}\nbatch:\n  tokns: 3\n")
    with pytest.raises(UsageError, match=r"mine.yaml, line 3: batch.tokns: unknown key"):
        load_recipe(path)
    assert (
        load_recipe(
            ROOT / "recipes/train/lora-cpu.yaml", {"optimizer.learning_rate": 1e-3}
        ).optimizer.learning_rate
        == 1e-3
    )
