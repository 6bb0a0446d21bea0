"""Watches a training run: loss and speed to MLflow, progress to people, checkpoints sealed, limits kept."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from preceptor.training.checkpoints import seal_checkpoint
from preceptor.training.jobs import TrainingJob
from preceptor.training.recipe import Recipe


class Watcher(TrainerCallback):
    """A callback of the trainer. `finish` returns the history and the measures for the result."""

    def __init__(
        self, job: TrainingJob, recipe: Recipe, run_id: str | None, say: Any, tokens_per_epoch: int
    ) -> None:
        self._job, self._recipe, self._run_id, self._say = job, recipe, run_id, say
        self._tokens_per_epoch = tokens_per_epoch
        self._started = self._said = time.monotonic()
        self._first_step, self._first_epoch = 0, 0.0
        self._stopped = "finished"
        self._client: Any = None
        if run_id:
            import mlflow

            self._client = mlflow.MlflowClient(job.tracking_uri)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started = time.monotonic()
        self._first_step, self._first_epoch = state.global_step, state.epoch or 0.0

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        logs = logs or {}
        loss = logs.get("loss")
        if loss is not None and not math.isfinite(loss):
            self._stopped = "loss is not finite"
            control.should_training_stop = True
        if not state.is_world_process_zero:
            return
        done = state.global_step - self._first_step
        elapsed = time.monotonic() - self._started
        speed = self._speed(state)
        if self._client:
            for key, value in logs.items():
                if isinstance(value, int | float) and math.isfinite(value) and key != "total_flos":
                    self._client.log_metric(self._run_id, key, value, step=state.global_step)
            if done:
                self._client.log_metric(self._run_id, "tokens_per_second", speed, step=state.global_step)
        now = time.monotonic()
        if loss is not None and (now - self._said >= 5 or state.global_step >= state.max_steps):
            self._said = now
            left = elapsed / max(1, done) * (state.max_steps - state.global_step)
            self._say(
                f"step {state.global_step}/{state.max_steps}, loss {loss:.3f}, {speed:.0f} tokens/s, "
                f"{int(left // 60)}:{int(left % 60):02d} left"
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        limit = self._recipe.max_minutes
        if limit and time.monotonic() - self._started > 60 * limit:
            self._stopped = f"time limit of {limit:g} minutes"
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            seal_checkpoint(Path(args.output_dir) / f"checkpoint-{state.global_step}", self._job.digest)

    def finish(self, trainer: Any) -> dict[str, Any]:
        """Close the MLflow run; return steps, losses, speed and why it ended."""
        state = trainer.state
        elapsed = time.monotonic() - self._started
        history = [
            {k: row[k] for k in ("step", "loss", "eval_loss", "learning_rate", "grad_norm") if k in row}
            for row in state.log_history
            if "loss" in row or "eval_loss" in row
        ]
        if self._stopped == "loss is not finite":
            if self._client:
                self._client.set_terminated(self._run_id, "FAILED")
            raise ArithmeticError("the loss is not finite: lower optimizer.learning_rate")
        losses = [row["loss"] for row in history if "loss" in row]
        validation = [row["eval_loss"] for row in history if "eval_loss" in row]
        done = state.global_step - self._first_step
        if self._client:
            self._client.set_terminated(self._run_id, "FINISHED")
        return {
            "steps": state.global_step,
            "planned_steps": state.max_steps,
            "ended": self._stopped,
            "first_loss": losses[0] if losses else None,
            "last_loss": losses[-1] if losses else None,
            "validation_loss": validation[-1] if validation else None,
            "tokens_per_second": round(self._speed(state), 1) if done else None,
            "seconds": round(elapsed, 1),
            "history": history,
        }

    def _speed(self, state: Any) -> float:
        epochs = (state.epoch or 0.0) - self._first_epoch
        return float(self._tokens_per_epoch * epochs / (time.monotonic() - self._started))
