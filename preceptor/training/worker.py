"""The process that trains: `python -m preceptor.training.worker JOB.json…`, alone or under torchrun or DeepSpeed.

It resumes by itself from the last whole checkpoint, tells MLflow loss and speed while it runs, and Dagster (when
started through Pipes) its progress. What it leaves in the job's folder: `trained/` and, last of all, `result.json`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor.tables import EXAMPLES
from preceptor.training.checkpoints import last_checkpoint
from preceptor.training.jobs import TrainingJob, load_job
from preceptor.training.recipe import Recipe
from preceptor.versions import checkout_commit, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(arguments: list[str] | None = None) -> int:
    """Train the jobs in the files named, one after the other; return the exit code."""
    given = arguments if arguments is not None else sys.argv[1:]
    # A launcher puts options of its own before them.
    return 0 if all(_trains(load_job(Path(name))) for name in given if name.endswith(".json")) else 1


def _trains(job: TrainingJob) -> bool:
    with _pipes() as say:
        try:
            train(job, say)
        except Exception as error:
            # The text of an error of the trainer may quote a training example.
            print(f"training {job.digest} failed: {type(error).__name__}", file=sys.stderr, flush=True)
            if os.environ.get("PRECEPTOR_DEBUG"):
                raise
            return False
    return True


def train(job: TrainingJob, say: Any) -> dict[str, Any]:
    """Run the job to its end, or from where it was killed to its end; return the result that is also written."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, set_seed

    from preceptor.training.data import load_examples, to_chats
    from preceptor.training.precision import choose_dtype
    from preceptor.training.sampling import sampled

    recipe = Recipe(**job.recipe)
    folder = Path(job.folder)
    on_cuda = torch.cuda.is_available()
    distributed = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if distributed and recipe.zero_stage:
        import deepspeed

        # Before the model is loaded: otherwise ZeRO-3 believes that it is alone and refuses the batch size.
        deepspeed.init_distributed(dist_backend="nccl" if on_cuda else "gloo")
    set_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.base_path)
    folders = [Path(p) for p in job.examples.values()]
    shown = sampled(load_examples(folders, "train"), recipe.sampling, recipe.seed)
    train_set, too_long = to_chats(shown, tokenizer, recipe.batch.max_length)
    held_out, _ = to_chats(load_examples(folders, "validation"), tokenizer, recipe.batch.max_length)
    dtype = choose_dtype(recipe.precision)
    arguments = _arguments(job, recipe, dtype, on_cuda, distributed, has_validation=len(held_out) > 0)
    model = AutoModelForCausalLM.from_pretrained(job.base_path, dtype=dtype)
    trainer = _trainer(model, arguments, train_set, held_out, tokenizer, recipe)
    packs = len(trainer.train_dataset)
    tokens = sum(len(ids) for ids in trainer.train_dataset["input_ids"])
    run_id = _mlflow_run(job, trainer.is_world_process_zero())
    from preceptor.training.watch import Watcher

    watcher = Watcher(job, recipe, run_id, say, tokens_per_epoch=tokens)
    trainer.add_callback(watcher)
    trainer.remove_callback(PrinterCallback)
    resume = last_checkpoint(folder / "checkpoints", job.digest)
    say(
        f"{len(train_set)} examples, {tokens} tokens in {packs} packs, {dtype}, "
        + (f"resuming from {resume.name}" if resume else "from the beginning")
    )
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    losses = watcher.finish(trainer)
    _save(trainer, tokenizer, folder)
    result = {
        "job": job.digest,
        "run_id": run_id,
        "base_model": job.base_name,
        "base_digest": job.base_digest,
        "method": recipe.method.name,
        "examples": len(train_set),
        "examples_too_long": too_long,
        "validation_examples": len(held_out),
        "tokens_per_epoch": tokens,
        "precision": str(dtype).removeprefix("torch."),
        "processes": job.processes,
        **losses,
    }
    if trainer.is_world_process_zero():
        write_atomic(folder / "result.json", json.dumps(result, indent=1))
    _part()
    return result


def _part() -> None:
    """Leave the group of processes together: one that exits while another still talks to it aborts now and then."""
    import torch.distributed as group

    if group.is_available() and group.is_initialized():
        group.barrier()
        group.destroy_process_group()


def _arguments(
    job: TrainingJob, recipe: Recipe, dtype: Any, on_cuda: bool, distributed: bool, has_validation: bool
) -> Any:
    import torch
    from trl import SFTConfig

    batch, optimizer = recipe.batch, recipe.optimizer
    accumulation = max(1, round(batch.tokens / batch.max_length / job.processes))
    if recipe.zero_stage and not distributed:
        raise ValueError("zero_stage needs more than one process")
    return SFTConfig(
        output_dir=str(Path(job.folder) / "checkpoints"),
        seed=recipe.seed,
        data_seed=recipe.seed,
        max_length=batch.max_length,
        packing=batch.packing,
        # "bfd" packs whole examples and restarts positions, so that packed examples do not see each other;
        # "wrapped" would let them.
        packing_strategy="bfd",
        eval_packing=False,
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=accumulation,
        learning_rate=optimizer.learning_rate,
        lr_scheduler_type=optimizer.schedule,
        warmup_steps=optimizer.warmup_share,
        weight_decay=optimizer.weight_decay,
        max_grad_norm=optimizer.max_grad_norm,
        optim="adamw_torch" if recipe.zero_stage else "adamw_torch_fused",
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps or -1,
        bf16=dtype == torch.bfloat16,
        use_cpu=not on_cuda,
        # TRL turns it on by default under its old name; recomputing activations costs a third more time and
        # buys memory that a small model does not need.
        gradient_checkpointing=on_cuda,
        logging_steps=1,
        logging_first_step=True,
        eval_strategy="epoch" if has_validation else "no",
        save_strategy="steps",
        save_steps=recipe.checkpoint_steps,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=on_cuda,
        ddp_backend=None if on_cuda or not distributed else "gloo",
        deepspeed=_deepspeed(recipe.zero_stage) if distributed and recipe.zero_stage else None,
    )


def _deepspeed(stage: int) -> dict[str, Any]:
    return {
        "zero_optimization": {"stage": stage, "stage3_gather_16bit_weights_on_model_save": True},
        "bf16": {"enabled": "auto"},
        "zero_allow_untested_optimizer": True,
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "train_batch_size": "auto",
        "gradient_clipping": "auto",
    }


def _trainer(
    model: Any, arguments: Any, train_set: Any, held_out: Any, tokenizer: Any, recipe: Recipe
) -> Any:
    from peft import LoraConfig
    from trl import SFTTrainer

    from preceptor.training.answer_loss import AnswerLossTrainer, supports

    method = recipe.method
    adapter = None
    if method.name == "lora":
        targets = method.targets if isinstance(method.targets, str) else list(method.targets)
        adapter = LoraConfig(
            r=method.rank,
            lora_alpha=method.alpha,
            lora_dropout=method.dropout,
            target_modules=targets,
            task_type="CAUSAL_LM",
        )
    before = len(train_set)
    trainer = (AnswerLossTrainer if arguments.use_cpu and supports(model) else SFTTrainer)(
        model=model,
        args=arguments,
        train_dataset=train_set,
        eval_dataset=held_out if len(held_out) else None,
        processing_class=tokenizer,
        peft_config=adapter,
    )
    kept: Any = trainer.train_dataset
    if not recipe.batch.packing and len(kept) != before:
        raise ValueError("the trainer dropped examples without a label")
    return trainer


def _save(trainer: Any, tokenizer: Any, folder: Path) -> None:
    part = folder / "trained.part"
    if trainer.is_world_process_zero() and part.exists():
        shutil.rmtree(part)
    trainer.save_model(str(part))
    if trainer.is_world_process_zero():
        (part / "training_args.bin").unlink(missing_ok=True)
        (part / "README.md").unlink(missing_ok=True)
        tokenizer.save_pretrained(part)
        if (folder / "trained").exists():
            shutil.rmtree(folder / "trained")
        part.rename(folder / "trained")


def _mlflow_run(job: TrainingJob, is_first: bool) -> str | None:
    """The MLflow run of this job: the one it had before it was killed, or a new one."""
    if not is_first:
        return None
    import mlflow

    client = mlflow.MlflowClient(job.tracking_uri)
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
        table = pq.read_table(Path(folder) / EXAMPLES)
        stage = Path(folder).parent.name
        rows = {row["values"]: row["counts"] for row in table["split"].value_counts().to_pylist()}
        columns = [{"name": f.name, "type": str(f.type), "required": False} for f in table.schema]
        dataset = Dataset(
            name=stage,
            digest=version,
            source_type="local",
            source=json.dumps({"uri": f"{stage}/{version}/{EXAMPLES}"}),
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
    return tags


if __name__ == "__main__":
    sys.exit(main())
