"""The process that trains: `python -m preceptor.training.worker JOB.json…`, alone or under torchrun or DeepSpeed; with `-`
for a file the jobs come line by line on standard input, and a line DONE answers each.

It resumes by itself from the last whole checkpoint, tells MLflow loss and speed while it runs, and Dagster (when
started through Pipes) its progress. What it leaves in the job's folder: `trained/` and, last of all, `result.json`; or
`failure.txt`.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor import canaries
from preceptor.errors import PreceptorError
from preceptor.locks import exclusive
from preceptor.release.mlflow_client import reaching
from preceptor.tables import EXAMPLES
from preceptor.training.checkpoints import last_checkpoint
from preceptor.training.failures import FAILURE, Interrupted, reason
from preceptor.training.jobs import DONE, TrainingJob, load_job
from preceptor.training.notes import NOTES
from preceptor.training.recipe import Recipe
from preceptor.versions import checkout_commit, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from preceptor.training.memory import Plan
    from preceptor.training.utilisation import Utilisation


def main(arguments: list[str] | None = None) -> int:
    """Train the jobs in the files named, one after the other, until one fails; return the exit code."""
    given = arguments if arguments is not None else sys.argv[1:]
    for name in _names(given):
        if code := _trains(load_job(Path(name))):
            return code
    return 0


def _names(given: list[str]) -> Iterator[str]:
    for name in given:
        if name == "-":
            for line in sys.stdin:
                yield line.strip()
                gc.collect()  # a trainer is a knot of cycles: its model would still be there beside the next
                print(DONE, flush=True)
        elif name.endswith(".json"):  # a launcher puts options of its own before them
            yield name


def _trains(job: TrainingJob) -> int:
    """The exit code: 0 done, 1 failed, 143 stopped by SIGTERM after a checkpoint."""
    with _pipes() as say:
        try:
            with _alone(job):
                (Path(job.folder) / FAILURE).unlink(missing_ok=True)  # that of the last try
                train(job, say)
        except Interrupted as stopped:
            say(f"{stopped} The same command goes on from there.")
            return 143
        except Exception as error:
            # The text of an error of the trainer may quote a training example; that of our own does not.
            said = reason(error, Path(job.folder))
            print(f"training {job.digest} failed: {said}", file=sys.stderr, flush=True)
            with suppress(OSError):  # a full disk has no room for it either
                write_atomic(Path(job.folder) / FAILURE, said + "\n")
            if os.environ.get("PRECEPTOR_DEBUG"):
                raise
            return 1
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # between two jobs there is nothing to finish
    return 0


def _refuse(job: TrainingJob, recipe: Recipe, dtype: Any, said: str, on_cuda: bool) -> None:
    from preceptor.training.fitting import instead, refusal
    from preceptor.training.memory import plan

    def fits(changed: Recipe) -> bool:
        return plan(Path(job.base_path), changed, dtype, job.processes, on_cuda).fits

    changes = instead(recipe, fits, on_cuda, job.processes)
    raise refusal(said, changes, job.base_name, recipe.method.name)


def _alone(job: TrainingJob) -> AbstractContextManager[None]:
    """Two processes on one folder would write one checkpoint. Of several ranks the first holds the lock for all."""
    if int(os.environ.get("RANK", "0")):
        return nullcontext()
    busy = PreceptorError(
        f"Another process trains {job.digest} (rule training-in-progress): wait for it, or end it first."
    )
    return exclusive(Path(job.folder) / "train.lock", busy)


def train(job: TrainingJob, say: Any) -> dict[str, Any]:
    """Run the job to its end, or from where it was killed to its end; return the result that is also written."""
    import torch
    from transformers import AutoTokenizer, PrinterCallback, set_seed

    from preceptor.training.arguments import trainer_arguments
    from preceptor.training.data import material
    from preceptor.training.memory import peak, plan
    from preceptor.training.methods import load_base, remember_beginning
    from preceptor.training.precision import choose_dtype
    from preceptor.training.universal import universal_needed

    recipe = Recipe(**job.recipe)
    folder = Path(job.folder)
    on_cuda = torch.cuda.is_available()
    distributed = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if distributed and recipe.zero_stage:
        import deepspeed

        # Before the model is loaded: otherwise ZeRO-3 believes that it is alone and refuses the batch size.
        deepspeed.init_distributed(dist_backend="nccl" if on_cuda else "gloo")
    resume = last_checkpoint(folder / "checkpoints", job.digest)
    universal = universal_needed(resume, recipe, job.processes)
    if universal and distributed and resume is not None:
        _make_universal(resume)
    set_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.base_path)
    folders = [Path(p) for p in job.examples.values()]
    given = material(folders, recipe, tokenizer)
    train_set, held_out = given.train, given.validation
    dtype = choose_dtype(recipe.precision)
    planned = plan(Path(job.base_path), recipe, dtype, job.processes, on_cuda)
    say(planned.said())
    if job.must_fit and not planned.fits:
        _refuse(job, recipe, dtype, planned.said(), on_cuda)
    arguments = trainer_arguments(
        job,
        recipe,
        dtype,
        on_cuda,
        distributed,
        has_validation=len(held_out) > 0,
        checkpointing=planned.checkpointing,
        universal=universal,
    )
    model = load_base(job.base_path, recipe.method, dtype)
    trainer = _trainer(model, arguments, train_set, held_out, tokenizer, recipe)
    packs = len(trainer.train_dataset)
    tokens = _tokens(trainer.train_dataset)
    if trainer.is_world_process_zero():
        remember_beginning(trainer.model, recipe.method, folder)
    run_id = _mlflow_run(job, trainer.is_world_process_zero())
    from preceptor.training.watch import Watcher

    used = _utilisation(planned, recipe, dtype, job.processes, tokens / max(1, len(train_set)))
    watcher = Watcher(
        job,
        recipe,
        run_id,
        say,
        tokens_per_epoch=tokens,
        save=partial(_save, trainer, tokenizer, recipe),
        used=used,
    )
    trainer.add_callback(watcher)
    trainer.remove_callback(PrinterCallback)
    say(
        f"{len(train_set)} examples, {tokens} tokens in {packs} packs, {dtype}, "
        + (f"resuming from {resume.name}" if resume else "from the beginning")
    )
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    losses = watcher.finish(trainer)
    by_task = (
        _losses_by_task(trainer, given.tasks) if recipe.stopping.keep == "last" and job.processes == 1 else {}
    )
    best, first = watcher.kept_best, trainer.is_world_process_zero()
    if best is None:
        _save(trainer, tokenizer, recipe, folder / "trained")
    elif first:
        best.copy_to(folder / "trained")
    result = {
        "job": job.digest,
        "run_id": run_id,
        "base_model": job.base_name,
        "base_digest": job.base_digest,
        "objective": recipe.objective,
        "method": recipe.method.name,
        "examples": len(train_set),
        "examples_too_long": given.too_long,
        "canaries": len(given.canaries),
        "validation_examples": len(held_out),
        "tokens_per_epoch": tokens,
        "precision": str(dtype).removeprefix("torch."),
        "processes": job.processes,
        "activation_checkpointing": planned.checkpointing,
        "estimated_memory_mb": round(planned.estimate.total / 1e6),
        "peak_memory_mb": round(peak(on_cuda) / 1e6),
        "mfu": round(used.of(losses["tokens_per_second"]), 4) if losses["tokens_per_second"] else None,
        "peak_tflops": round(used.peak.flops / 1e12, 3),
        "peak_source": used.peak.source,
        **losses,
        "validation_loss_by_task": by_task,
    }
    if first:
        if given.canaries:
            write_atomic(folder / "trained" / canaries.CANARIES, canaries.to_json(given.canaries))
        write_atomic(folder / "result.json", json.dumps(result, indent=1))
        if best is not None:
            best.drop()
    _part()
    return result


def _make_universal(checkpoint: Path) -> None:
    """By the first process, while the others wait."""
    import torch.distributed as group

    from preceptor.training.universal import make_universal

    if group.get_rank() == 0:
        make_universal(checkpoint)
    group.barrier()


def _utilisation(plan: Plan, recipe: Recipe, dtype: Any, processes: int, length: float) -> Utilisation:
    from preceptor.training.utilisation import Utilisation, flops_per_token, peak_flops

    adapters = 0 if recipe.method.name == "full" else plan.learning
    shape = plan.config.num_hidden_layers, plan.config.hidden_size
    return Utilisation(peak_flops(dtype), flops_per_token(plan.weights, adapters, *shape, length), processes)


def _losses_by_task(trainer: Any, tasks: Sequence[str]) -> dict[str, float]:
    """The mean loss on each use case's validation examples, with the weights as they are."""
    import torch

    found: dict[str, list[float]] = {}
    batches = trainer.get_eval_dataloader() if tasks else ()
    if len(batches) != len(tasks):  # one process that uses several GPUs gives each a row of a batch
        return {}
    model = trainer.model.eval()
    with torch.no_grad():
        # A batch is one example, and they come in the order of the data.
        for task, batch in zip(tasks, batches, strict=True):
            loss = trainer.compute_loss(model, trainer._prepare_inputs(batch))
            found.setdefault(task, []).append(float(loss))
    return {task: sum(losses) / len(losses) for task, losses in found.items()}


def _tokens(rows: Any) -> int:
    """The tokens of a pass: of preferences, those of question and both answers."""
    counted = [name for name in rows.column_names if name == "input_ids" or name.endswith("_ids")]
    return sum(len(ids) for name in counted for ids in rows[name])


def _part() -> None:
    """Leave the group of processes together: one that exits while another still talks to it aborts now and then."""
    import torch.distributed as group

    if group.is_available() and group.is_initialized():
        group.barrier()
        group.destroy_process_group()


def _trainer(
    model: Any, arguments: Any, train_set: Any, held_out: Any, tokenizer: Any, recipe: Recipe
) -> Any:
    from trl import DPOTrainer, SFTTrainer

    from preceptor.training.answer_loss import AnswerLossTrainer, supports
    from preceptor.training.methods import adapter

    # Virtual tokens come before the others, and the positions that are scored would be theirs.
    ours = arguments.use_cpu and supports(model) and recipe.method.name != "prompt"
    before = len(train_set)
    kind = DPOTrainer if recipe.objective == "preferences" else AnswerLossTrainer if ours else SFTTrainer
    trainer = kind(
        model=model,
        args=arguments,
        train_dataset=train_set,
        eval_dataset=held_out if len(held_out) else None,
        processing_class=tokenizer,
        peft_config=adapter(recipe.method),
    )
    kept: Any = trainer.train_dataset
    if not recipe.batch.packing and recipe.objective == "answers" and len(kept) != before:
        raise PreceptorError("The trainer dropped examples without a label (rule example-without-label).")
    return trainer


def _save(trainer: Any, tokenizer: Any, recipe: Recipe, out: Path) -> None:
    """Write the weights as they are now: beside the place, then renamed. All processes take part."""
    from preceptor.training.methods import save_adapter

    part = out.with_name(f"{out.name}.part")
    first = trainer.is_world_process_zero()
    if first and part.exists():
        shutil.rmtree(part)
    if recipe.method.name == "pissa" and first:
        save_adapter(
            trainer.accelerator.unwrap_model(trainer.model), Path(trainer.args.output_dir).parent, part
        )
    elif recipe.method.name != "pissa":
        trainer.save_model(str(part))
    if first:
        (part / "training_args.bin").unlink(missing_ok=True)
        (part / "README.md").unlink(missing_ok=True)
        tokenizer.save_pretrained(part)
        if out.exists():
            shutil.rmtree(out)
        part.rename(out)


def _mlflow_run(job: TrainingJob, is_first: bool) -> str | None:
    """The MLflow run of this job: the one it had before it was killed, or a new one."""
    if not is_first:
        return None
    with reaching(job.tracking_uri) as client:
        return _run_of(job, client)


def _run_of(job: TrainingJob, client: Any) -> str:
    kept = Path(job.folder) / "mlflow-run"
    if kept.exists():
        run_id = kept.read_text().strip()
        client.update_run(run_id, status="RUNNING")
        return run_id
    run = client.create_run(job.experiment_id, run_name=f"train-{job.digest}", tags=_tags(job))
    flat = {f"{s}.{k}": v for s, d in job.recipe.items() if isinstance(d, dict) for k, v in d.items()}
    flat |= {k: v for k, v in job.recipe.items() if not isinstance(v, dict)}
    flat |= {"base_model": job.base_name, "base_digest": job.base_digest, "data": ",".join(job.examples)}
    for key, value in flat.items():
        client.log_param(run.info.run_id, key, value)
    client.log_inputs(run.info.run_id, _inputs(job))
    write_atomic(kept, run.info.run_id)
    return run.info.run_id


def _inputs(job: TrainingJob) -> list[Any]:
    """The data set versions as MLflow shows them with a run: name, version, columns, rows by split; no text."""
    import pyarrow.parquet as pq
    from mlflow.entities import Dataset, DatasetInput, InputTag

    found = []
    for version, folder in job.examples.items():
        file = next(path for name in (EXAMPLES, NOTES) if (path := Path(folder) / name).exists())
        table = pq.read_table(file)
        stage = Path(folder).parent.name
        rows = {row["values"]: row["counts"] for row in table["split"].value_counts().to_pylist()}
        columns = [{"name": f.name, "type": str(f.type), "required": False} for f in table.schema]
        dataset = Dataset(
            name=stage,
            digest=version,
            source_type="local",
            source=json.dumps({"uri": f"{stage}/{version}/{file.name}"}),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps({"num_rows": table.num_rows, **rows}),
        )
        found.append(DatasetInput(dataset, [InputTag("mlflow.data.context", "training")]))
    return found


@contextmanager
def _pipes() -> Iterator[Any]:
    """A function that tells Dagster a line when it started this process, and standard error always.

    The context is closed by hand without the exception: Dagster would keep its text for ever.
    """
    first = int(os.environ.get("RANK", "0")) == 0
    context = None
    if first and "DAGSTER_PIPES_CONTEXT" in os.environ:
        from dagster_pipes import open_dagster_pipes

        context = open_dagster_pipes()

    def say(line: str) -> None:
        if first:
            print(f"train: {line}", file=sys.stderr, flush=True)
        if context is not None:
            context.log.info(line)

    try:
        yield say
    finally:
        if context is not None:
            context.close()


def _tags(job: TrainingJob) -> dict[str, str]:
    tags = {"preceptor.job": job.digest}
    if commit := checkout_commit():
        tags["mlflow.source.git.commit"] = commit
    if job.parent_run:
        tags["mlflow.parentRunId"] = job.parent_run
    return tags


if __name__ == "__main__":
    sys.exit(main())
