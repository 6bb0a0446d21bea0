"""Watches a training run: loss and speed to MLflow, progress to people, checkpoints sealed, limits kept."""

from __future__ import annotations

import math
import signal
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from preceptor.errors import PreceptorError
from preceptor.release.mlflow_client import translated
from preceptor.training.best import Best
from preceptor.training.checkpoints import seal_checkpoint
from preceptor.training.failures import Diverged, Interrupted
from preceptor.training.jobs import PRUNED, TrainingJob
from preceptor.training.memory import peak
from preceptor.training.recipe import Recipe
from preceptor.training.utilisation import Utilisation

FINISHED, TERMINATED, UNTRACKED = "finished", "terminated", "MLflow is away"
NOT_FINITE, EXPLODED = "the loss is not finite", "the loss has exploded"


class Watcher(TrainerCallback):
    """A callback of the trainer. `finish` returns the history and the measures for the result."""

    def __init__(
        self,
        job: TrainingJob,
        recipe: Recipe,
        run_id: str | None,
        say: Any,
        tokens_per_epoch: int,
        save: Callable[[Path], None],
        used: Utilisation,
    ) -> None:
        """`save` writes the weights as they are to a folder."""
        self._job, self._recipe, self._run_id, self._say = job, recipe, run_id, say
        self._tokens_per_epoch, self._used = tokens_per_epoch, used
        self._started = self._said = time.monotonic()
        self._first_step, self._first_epoch = 0, 0.0
        self._stepped = self._began = 0.0  # seconds in steps, without evaluations and checkpoints
        self._stopped = FINISHED
        self._terminated = False
        self._untracked: PreceptorError | None = None
        self._best = Best(Path(job.folder), save)
        self._client: Any = None
        if run_id:
            import mlflow

            self._client = mlflow.MlflowClient(job.tracking_uri)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started = time.monotonic()
        self._first_step, self._first_epoch = state.global_step, state.epoch or 0.0
        signal.signal(signal.SIGTERM, self._on_terminate)

    def _on_terminate(self, *_: Any) -> None:
        """A machine that is taken away gives notice so: the step is finished, a checkpoint written, and that is all."""
        self._terminated = True

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        logs = logs or {}
        loss = logs.get("loss")
        if loss is not None and not math.isfinite(loss):
            self._stopped = NOT_FINITE
            control.should_training_stop = True
        elif loss is not None and _explodes([row["loss"] for row in state.log_history if "loss" in row]):
            self._stopped = EXPLODED
            control.should_training_stop = True
        if not state.is_world_process_zero:
            return
        done = state.global_step - self._first_step
        elapsed = time.monotonic() - self._started
        speed = self._speed(state)
        measured = {k: v for k, v in logs.items() if isinstance(v, int | float) and k != "total_flos"}
        if done:
            memory = peak(torch.cuda.is_available()) / 1e6
            measured |= {"tokens_per_second": speed, "mfu": self._used.of(speed), "peak_memory_mb": memory}
        self._track(measured, state.global_step, control)
        now = time.monotonic()
        if loss is not None and (now - self._said >= 5 or state.global_step >= state.max_steps):
            self._said = now
            left = elapsed / max(1, done) * (state.max_steps - state.global_step)
            self._say(
                f"step {state.global_step}/{state.max_steps}, loss {loss:.3f}, {speed:.0f} tokens/s, "
                f"{peak(torch.cuda.is_available()) / 1e6:,.0f} MB, "
                f"{int(left // 60)}:{int(left % 60):02d} left"
            )

    def _track(self, measured: dict[str, float], step: int, control: Any) -> None:
        """Measures to MLflow. If it is away for longer than its client tries, training stops with a checkpoint: losses that nobody
        can see are no reason to lose hours, and none to go on either."""
        if not self._client:
            return
        try:
            with translated(self._job.tracking_uri):
                for key, value in measured.items():
                    if math.isfinite(value):
                        self._client.log_metric(self._run_id, key, value, step=step)
        except PreceptorError as error:
            self._client, self._untracked = None, error
            self._stopped = UNTRACKED
            control.should_save = control.should_training_stop = True

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._stepped += time.monotonic() - self._began
        limit = self._recipe.max_minutes
        late = bool(limit) and time.monotonic() - self._started > 60 * limit
        # All processes stop at the same step, or the others would wait for ever.
        terminated, late = _anywhere(self._terminated, late)
        if terminated:
            self._stopped = TERMINATED
            control.should_save = control.should_training_stop = True
        elif late:
            self._stopped = f"time limit of {limit:g} minutes"
            control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._stopped in (TERMINATED, UNTRACKED, NOT_FINITE, EXPLODED):
            control.should_evaluate = False

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, Any] | None = None, **_: Any
    ) -> None:
        loss = (metrics or {}).get("eval_loss")
        if loss is None or not math.isfinite(loss):
            return
        stopping = self._recipe.stopping
        if stopping.keep == "best":
            self._best.offer(loss, state.global_step, state.is_world_process_zero)
        losses = [row["eval_loss"] for row in state.log_history if "eval_loss" in row]
        if stopping.patience and len(losses) - 1 - losses.index(min(losses)) >= stopping.patience:
            self._stopped = f"no lower validation loss in {stopping.patience} evaluations"
            control.should_training_stop = True
        ceiling = self._job.ceilings.get(str(state.global_step))
        if ceiling is not None and min(losses) > ceiling and state.global_step < state.max_steps:
            self._stopped = f"{PRUNED}: above {ceiling:.4f}, the median of earlier trials at this step"
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            seal_checkpoint(
                Path(args.output_dir) / f"checkpoint-{state.global_step}",
                self._job.digest,
                self._job.processes,
                self._job.processes * args.gradient_accumulation_steps,
            )

    def finish(self, trainer: Any) -> dict[str, Any]:
        """Close the MLflow run; return steps, losses, speed and why it ended."""
        state = trainer.state
        elapsed = time.monotonic() - self._started
        history = [
            {k: row[k] for k in ("step", "loss", "eval_loss", "learning_rate", "grad_norm") if k in row}
            for row in state.log_history
            if "loss" in row or "eval_loss" in row
        ]
        if self._untracked:
            raise PreceptorError(
                f"{self._untracked} Training stopped with a checkpoint at step {state.global_step}."
            )
        if self._stopped in (TERMINATED, NOT_FINITE, EXPLODED):
            self._give_up(state.global_step)
        losses = [row["loss"] for row in history if "loss" in row]
        validation = [row["eval_loss"] for row in history if "eval_loss" in row]
        done = state.global_step - self._first_step
        if self._client:
            with translated(self._job.tracking_uri):
                self._client.set_terminated(self._run_id, "FINISHED")
        return {
            "steps": state.global_step,
            "planned_steps": state.max_steps,
            "ended": self._stopped,
            "first_loss": losses[0] if losses else None,
            "last_loss": losses[-1] if losses else None,
            "validation_loss": self._best.loss if self._best.kept else validation[-1] if validation else None,
            "kept_step": self._best.step if self._best.kept else state.global_step,
            "tokens_per_second": round(self._speed(state), 1) if done else None,
            "seconds": round(elapsed, 1),
            "history": history,
        }

    @property
    def kept_best(self) -> Best | None:
        """The weights with the lowest validation loss, where they are what is kept."""
        return self._best if self._best.kept else None

    def _give_up(self, step: int) -> None:
        if self._client:
            with translated(self._job.tracking_uri):
                self._client.set_terminated(
                    self._run_id, "KILLED" if self._stopped == TERMINATED else "FAILED"
                )
        if self._stopped == TERMINATED:
            raise Interrupted(f"Stopped by SIGTERM with a checkpoint at step {step}.")
        raise Diverged(
            f"{self._stopped} at step {step} (rule training-diverged): lower optimizer.learning_rate, or raise its warmup_share."
        )

    def _speed(self, state: Any) -> float:
        epochs = (state.epoch or 0.0) - self._first_epoch
        return float(self._tokens_per_epoch * epochs / self._stepped) if self._stepped else 0.0


def _explodes(losses: Sequence[float]) -> bool:
    """Whether the last ten steps are, on average, half as much again above the first three, and half a nat more."""
    return len(losses) >= 13 and statistics.fmean(losses[-10:]) > 1.5 * statistics.fmean(losses[:3]) + 0.5


def _anywhere(*flags: bool) -> list[bool]:
    """For each flag whether it is set in any of the processes."""
    import torch.distributed as group

    if not group.is_available() or not group.is_initialized():
        return list(flags)
    device = "cuda" if group.get_backend() == "nccl" else "cpu"
    said = torch.tensor([int(flag) for flag in flags], device=device)
    group.all_reduce(said, op=group.ReduceOp.MAX)
    return [bool(flag) for flag in said.tolist()]
