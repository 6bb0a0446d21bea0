"""The weights with the lowest validation loss, kept beside the checkpoints while training goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from preceptor.versions import write_atomic


class Best:
    """In the job's folder: `best/` and what `best.json` says of it. A resumed run finds both again."""

    def __init__(self, folder: Path, save: Callable[[Path], None]) -> None:
        self._weights, self._said, self._save = folder / "best", folder / "best.json", save
        self.loss: float = float("inf")
        self.step: int = 0
        if self._weights.exists() and self._said.exists():
            known = json.loads(self._said.read_text())
            self.loss, self.step = known["loss"], known["step"]

    @property
    def kept(self) -> bool:
        """Whether there are such weights."""
        return self.step > 0

    def offer(self, loss: float, step: int, first: bool) -> None:
        """Keep the weights as they are now if their loss is the lowest. All processes call it; `first` is of rank 0."""
        if loss >= self.loss:
            return
        self.loss, self.step = loss, step
        self._save(self._weights)
        if first:
            write_atomic(self._said, json.dumps({"loss": loss, "step": step}))

    def copy_to(self, out: Path) -> None:
        """Write them to a folder, whole or not at all."""
        part = out.with_name(f"{out.name}.part")
        for old in (part, out):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(self._weights, part)
        part.rename(out)

    def drop(self) -> None:
        """Remove them: the result has a copy."""
        shutil.rmtree(self._weights, ignore_errors=True)
        self._said.unlink(missing_ok=True)
