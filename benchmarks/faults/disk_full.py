"""The disk runs full in every stage, one after the other, and the same command goes on: `python -m benchmarks.faults.disk_full`.

A home on a disk of its own in memory (root is needed to mount it; nothing else is written to but a temporary folder), some notes of
the bundled corpus, profile `smoke`. In each stage, as soon as it has begun to write, what is left of the disk is taken; then
the command must end with exit code 1 and say which disk it is, without a word of a note. Room is given back, and the same command
is called again, until the next stage. Beside it the same home, undisturbed, on the machine's disk: in the end both must hold the same versions, and all records verify. Prints a
line a step; exit code 1 if anything went otherwise. --notes N (default 60) and --patience S (300, for a command) bound it.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.faults.outcome import must, played
from benchmarks.faults.small_disk import SmallDisk, small_disk
from benchmarks.faults.small_homes import Home, configured, end_all, made, named, phrases, warm
from preceptor.vault import open_vault

# The line that says that a stage begins, or what it has begun to write when it is well inside.
MARKS = {
    "intake": "[1/10]",
    "de-identification": "[2/10]",
    "curation": "[3/10]",
    "synthesis": "[5/10]",
    "training": "training/*/checkpoints/checkpoint-*",
    "evaluation": "reports/.answers/*",
    "register": "mlflow/artifacts/*/*/artifacts/model-*",
}


class Story:
    """The steps; `told` prints one."""

    def __init__(self, disk: SmallDisk, home: Home, undisturbed: Home, notes: Path) -> None:
        self.disk, self.home, self.undisturbed = disk, home, undisturbed
        self._began = time.monotonic()
        self._words = phrases(notes)

    def told(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", flush=True)

    def stages(self, wanted: list[str]) -> None:
        """`preceptor run`, over and over, with the disk full a stage later each time."""
        for stage in wanted:
            self._refused(stage, *self._runs_out(stage, MARKS[stage]))
        began = time.monotonic()
        self.home.run()
        self.told(f"with room again, the same command came to its end, in {time.monotonic() - began:.0f} s")

    def ends_the_same(self) -> None:
        """As without a full disk: names of versions, weights, answers; and everything verifies."""
        ours, theirs = made(self.home.workspace), made(self.undisturbed.workspace)
        differing = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
        must(not differing, f"not the same as undisturbed: {', '.join(differing)}")
        self.told(f"the same as undisturbed: {', '.join(sorted(ours))}")

    def _runs_out(self, stage: str, mark: str) -> tuple[int, str]:
        """Call the command, and take all room from the moment at which the mark is there until the command has ended."""
        process = self.home.start()
        known, seen = set(self.home.workspace.home.glob(mark)), False
        while process.is_alive():
            seen = seen or mark in self.home.said() or bool(set(self.home.workspace.home.glob(mark)) - known)
            if seen:
                self.disk.fill()
            time.sleep(0.01)
        code, said = self.home.ends(process)
        must(seen, f"{stage} had ended before the disk was full: {said[-1500:]}")
        return code, said

    def _refused(self, stage: str, code: int, said: str) -> None:
        """It said what is wrong and nothing else; then there is room again, and nothing is half."""
        self.disk.empty()
        quoted = [phrase for phrase in self._words if phrase in said]
        must(not quoted, f"{stage}: it quotes {len(quoted)} phrases of notes")
        line = named(stage, code, said, self.home.workspace.home)
        self.home.verify()
        self.told(f"{stage}: {line}")


def prepared(folder: Path, at: Path, notes: int, patience: float) -> tuple[Home, Home]:
    """Two homes with the same keys: one on the small disk, and one that is left undisturbed."""
    config = configured(folder, notes)
    undisturbed, home = Home(folder / "undisturbed", config, patience), Home(at / "home", config, patience)
    open_vault(undisturbed.workspace).close()
    shutil.copytree(undisturbed.workspace.home, home.workspace.home)
    return home, undisturbed


def _play(story: Story, stages: list[str]) -> None:
    home, undisturbed = story.home, story.undisturbed
    beside = undisturbed.start()
    story.stages([stage for stage in MARKS if stage in stages])
    code, said = undisturbed.ends(beside)
    must(code == 0, f"undisturbed, it ended with {code}: {said[-1500:]}")
    story.ends_the_same()
    home.verify()
    story.told("vault, record of releases and every version verify")


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--stages", nargs="+", choices=MARKS, default=list(MARKS), help="only these")
    options.add_argument("--notes", type=int, default=60)
    options.add_argument("--megabytes", type=int, default=256, help="of the small disk")
    options.add_argument("--patience", type=float, default=300, metavar="SECONDS", help="for one command")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the disk goes with it
    warm()
    with tempfile.TemporaryDirectory(prefix="preceptor-disk-") as name:
        folder = Path(name)
        with small_disk(folder / "disk", given.megabytes) as disk:
            home, undisturbed = prepared(folder, disk.at, given.notes, given.patience)
            story = Story(disk, home, undisturbed, folder / "notes")
            return played(partial(_play, story, given.stages), end_all)


if __name__ == "__main__":
    sys.exit(main())
