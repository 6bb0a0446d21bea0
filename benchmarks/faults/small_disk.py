"""A disk of its own, small and in memory, that can be filled to the last byte and emptied again. Needs root, to mount it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 1 << 16


class SmallDisk:
    """A mounted file system, and the file that fills it."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self._ballast = at / "ballast"

    def fill(self) -> None:
        """Take all the room there is."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (16 * _CHUNK, _CHUNK, 4096, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    @property
    def free(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self.at).free


@contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mounted at a new folder for as long as the block runs. Exits, saying so, for who is not root."""
    if os.geteuid() != 0:
        sys.exit(
            "A small disk is mounted for this, and only root may: sudo, or a container with CAP_SYS_ADMIN."
        )
    at.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "preceptor-faults", str(at)], check=True
    )
    try:
        yield SmallDisk(at)
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)
        at.rmdir()
