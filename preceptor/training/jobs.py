"""A training job: what is trained, where it works, the command that runs it, and the model version it becomes."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from preceptor import disk
from preceptor.errors import PreceptorError, UsageError
from preceptor.models import ResolvedModel
from preceptor.settings import TrainingSettings, Workspace
from preceptor.training import VERSION
from preceptor.training.failures import FAILURE
from preceptor.training.recipe import Recipe
from preceptor.versions import DatasetVersion, digest, find_version, make_version, write_atomic

STAGE = "model"
_HOST = re.compile(r"(\S+)\s+slots=([1-9]\d*)")
# Variables of every process that trains: it reaches for no hub, sends no statistics and draws no bars.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "TQDM_DISABLE": "1",
    "PYTHONWARNINGS": "ignore",
}
DONE: Final = "preceptor: the job is done"  # what a worker answers that is given jobs on standard input
PRUNED: Final = "pruned"  # what `ended` of a result begins with where a ceiling was passed


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """Everything the worker needs, as plain values. `digest` names the work; its folder keeps the checkpoints.

    `must_fit`: it is not begun where the estimate of memory is beyond what is free. Of a trial of a search: `parent_run` is the search's MLflow run, `ceilings` the validation loss (nats) at a step above
    which it is given up.
    """

    digest: str
    folder: str
    base_name: str
    base_path: str
    base_digest: str
    examples: dict[str, str]  # data set version name -> folder with examples.parquet
    recipe: dict[str, Any]
    processes: int
    tracking_uri: str
    experiment_id: str
    parent_run: str = ""
    must_fit: bool = True
    ceilings: dict[str, float] = field(default_factory=dict)  # JSON has no other keys than text


def plan_job(
    workspace: Workspace,
    base: ResolvedModel,
    datasets: list[DatasetVersion],
    recipe: Recipe,
    settings: TrainingSettings,
    tracking_uri: str,
    experiment_id: str,
    within: Path | None = None,
    parent_run: str = "",
    ceilings: Mapping[int, float] | None = None,
) -> TrainingJob:
    """Say what is to be trained and write it down for the worker. The same inputs give the same job.

    It works in a folder below `within`; None: the workspace's folder of trainings.
    """
    processes = _processes(settings)
    examples = {d.name: str(d.path) for d in datasets}
    what = _made_from(base, datasets, recipe)
    name = digest(what)[:12]
    folder = (within or workspace.training) / name
    folder.mkdir(parents=True, exist_ok=True)
    job = TrainingJob(
        digest=name,
        folder=str(folder),
        base_name=base.name,
        base_path=str(base.path),
        base_digest=base.digest,
        examples=examples,
        recipe=recipe.model_dump(mode="json"),
        processes=processes,
        tracking_uri=tracking_uri,
        experiment_id=experiment_id,
        parent_run=parent_run,
        must_fit=settings.must_fit,
        ceilings={str(step): loss for step, loss in (ceilings or {}).items()},
    )
    write_atomic(folder / "job.json", json.dumps(asdict(job), indent=1))
    return job


def load_job(path: Path) -> TrainingJob:
    """Read what `plan_job` wrote."""
    return TrainingJob(**json.loads(path.read_text()))


def command(
    job: TrainingJob, launcher: str = "auto", then: Sequence[TrainingJob] = (), hostfile: str = ""
) -> list[str]:
    """The command line that trains: one process, or one for each device under torchrun or DeepSpeed, by the latter on all
    machines of a `hostfile`; `then`: jobs that the same process trains afterwards.

    Raises `PreceptorError` for several processes or machines with a launcher that cannot.
    """
    files = [str(Path(each.folder) / "job.json") for each in (job, *then)]
    worker = ["-m", "preceptor.training.worker", *files]
    if hostfile and launcher not in ("auto", "deepspeed"):
        raise PreceptorError(
            f"training.hostfile is read by the launcher deepspeed, not by {launcher} (rule hostfile-launcher)."
        )
    if launcher == "auto" and hostfile:
        launcher = "deepspeed"
    if launcher == "auto":
        launcher = "torchrun" if job.processes > 1 else "local"
    if launcher == "local":
        if job.processes > 1:
            raise PreceptorError(
                f"The local launcher runs one process, the job asks for {job.processes}. Use torchrun or deepspeed."
            )
        return [sys.executable, *worker]
    if launcher == "deepspeed":
        return [
            sys.executable,
            "-m",
            "deepspeed.launcher.runner",
            *(("--hostfile", hostfile) if hostfile else (f"--num_gpus={job.processes}",)),
            "--module",
            *worker[1:],
        ]
    return [
        sys.executable,
        "-m",
        "preceptor.training.torchrun",
        "--standalone",
        f"--nproc_per_node={job.processes}",
        *worker,
    ]


def serving_command() -> list[str]:
    """The command line of one process that trains the jobs whose files it is given on standard input."""
    return [sys.executable, "-m", "preceptor.training.worker", "-"]


def environment(job: TrainingJob) -> dict[str, str]:
    """Variables of the worker's process: offline, quiet, and the cores shared out over the processes."""
    variables = dict(QUIET)
    if not cuda_devices():
        variables["DS_ACCELERATOR"] = "cpu"  # DeepSpeed, which PEFT imports, warns where it has to find out
    if job.processes > 1:
        # After SIGTERM the step and its checkpoint may take longer than torchrun's own half a minute.
        variables["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] = "600"
        variables["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // job.processes))
    return variables


def finished_version(
    workspace: Workspace,
    base: ResolvedModel,
    datasets: list[DatasetVersion],
    recipe: Recipe,
) -> DatasetVersion | None:
    """The model version that this training would give, if it was trained before."""
    what = _made_from(base, datasets, recipe)
    return find_version(workspace.models, STAGE, **what)


def collect(
    workspace: Workspace,
    job: TrainingJob,
    base: ResolvedModel,
    datasets: list[DatasetVersion],
    recipe: Recipe,
) -> DatasetVersion:
    """Make a version of what the worker left: adapter or full weights, and its report.

    Raises `PreceptorError` if the worker did not come to its end.
    """
    folder = Path(job.folder)
    if not (folder / "result.json").exists():
        raise PreceptorError(
            f"Training {job.digest} has no result: the worker stopped before its end. Its last lines say why; "
            "the same command continues from the last checkpoint."
        )
    result = json.loads((folder / "result.json").read_text())

    def write(part: Path) -> dict[str, Any]:
        shutil.copytree(folder / "trained", part, dirs_exist_ok=True)
        (part / "training.json").write_text(json.dumps(result, indent=1))
        return {k: v for k, v in result.items() if k != "history"}

    what = _made_from(base, datasets, recipe)
    return make_version(workspace.models, STAGE, **what, write=write)


def why_stopped(job: TrainingJob) -> str:
    """What a person is told of a worker that ended without a result: its own words if it left any."""
    folder = Path(job.folder)
    if (folder / FAILURE).exists():
        return f"training {job.digest}: {(folder / FAILURE).read_text().strip()}"
    if disk.has_little(folder):  # then it could not write why
        return f"training {job.digest}: {disk.full(folder)}"
    return (
        f"training {job.digest} ended without saying why, as a process does that is killed from outside: by somebody, or by the system "
        "for want of memory (rule worker-killed). Look at its last lines and at the system's log."
    )


def _made_from(base: ResolvedModel, datasets: list[DatasetVersion], recipe: Recipe) -> dict[str, Any]:
    """Not of how many processes: the batch is in tokens, and a run that is resumed may have others."""
    inputs = {"base": base.digest, **{d.stage: d.name for d in datasets}}
    return {"inputs": inputs, "config": {"recipe": recipe.model_dump(mode="json")}, "code": VERSION}


def _processes(settings: TrainingSettings) -> int:
    if settings.launcher == "k8s" and settings.kubernetes and not settings.processes:
        return settings.kubernetes.nodes * max(1, settings.kubernetes.gpus)
    if settings.hostfile:
        return sum(hosts(Path(settings.hostfile)).values())
    return settings.processes or _devices()


def hosts(file: Path) -> dict[str, int]:
    """The machines of a DeepSpeed hostfile and how many processes each runs. Raises `UsageError` naming file, line and rule."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise UsageError(f"{file}: this hostfile cannot be read (rule hostfile-missing).") from None
    found: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        match = _HOST.fullmatch(said)
        if match is None or match[1] in found:
            raise UsageError(
                f"{file}, line {number}: a machine, once, and its slots are expected, as in 'node-1 slots=8' (rule hostfile-line)."
            )
        found[match[1]] = int(match[2])
    if not found:
        raise UsageError(f"{file}: it names no machine (rule hostfile-line).")
    return found


def cuda_devices() -> int:
    """How many GPUs of this machine PyTorch can use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _devices() -> int:
    return max(1, cuda_devices())
