"""The disk is full when people decide: `python -m benchmarks.faults.disk_decisions`.

A home with a version, people and two patients (tests/release/story.py) on a small disk of its own in memory; root is needed to mount it.
An account, two approvals, a promotion, an intake, a rotation of the vault's keys and an erasure are each asked of the program with no
room at all: it must end with exit code 1 and name the disk, and what was there before must verify and hold. Then there is room, and the
same command must do it. Prints a line a step; exit code 1 if anything went otherwise. A minute on an idle core.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.faults.outcome import must, played
from benchmarks.faults.small_disk import SmallDisk, small_disk
from benchmarks.faults.small_homes import end_all, ended, forked, named, surroundings, warm
from preceptor.cli import main as program
from preceptor.release.registry import get_alias, tracking_of
from preceptor.release.store import open_store
from preceptor.vault import open_vault
from preceptor.vault.verification import verify
from tests.release.conftest import PASSWORD
from tests.release.story import Home, make_home


class Story:
    """The decisions, each with and without room."""

    def __init__(self, disk: SmallDisk, home: Home, scratch: Path, patience: float) -> None:
        self.disk, self.home, self._scratch, self._patience = disk, home, scratch, patience
        self._began = time.monotonic()

    def told(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", flush=True)

    def play(self) -> None:
        ref = self.home.version(2).ref
        self.told(f"{ref} is made, evaluated and registered")
        note = self._scratch / "note.txt"
        note.write_text("Seen for a cough, lungs clear, review in a week.")
        signs = ("--password-stdin", "--reason", "read the report")
        for what, *arguments in (
            ("an account", "users", "add", "cleo", "--role", "reviewer", "--password-stdin"),
            ("the first approval", "release", "approve", ref, "--as", "ana", *signs),
            ("the second approval", "release", "approve", ref, "--as", "ben", *signs),
            ("the promotion", "release", "promote", ref),
            ("an intake", "intake", str(note)),
            ("a rotation of the vault's keys", "vault", "rotate"),
            ("an erasure", "forget", "--patient", "77"),
        ):
            before = self._stands()
            self.disk.fill()
            code, said = self._asked(*arguments)
            self.disk.empty()
            line = named(what, code, said, self.home.workspace.home)
            must(self._stands() == before, f"{what}: refused, and yet something is not as before")
            self.told(f"{what}: {line}")
            code, said = self._asked(*arguments)
            must(code == 0, f"{what}: with room, it ended with {code}: {said[-1500:]}")
            must(self._stands() != before, f"{what}: with room, nothing has changed")
            self.told(f"{what}: with room again, the same command did it")

    def _asked(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of the program."""
        output = self._scratch / "out"
        options = ["--home", str(self.home.workspace.home), "--config", str(self.home.config)]
        passwords = self._scratch / "password"
        passwords.write_text(PASSWORD + "\n")

        def call() -> None:
            sys.stdin = passwords.open()  # multiprocessing has put nothing there
            program([*options, *arguments])

        return ended(forked(call, surroundings(), output), output, self._patience)

    def _stands(self) -> dict[str, object]:
        """What was decided so far. Raises `Wrong` where a record does not verify."""
        ours = self.home.workspace
        with closing(open_store(ours)) as record, closing(open_vault(ours)) as vault:
            problems = [f"{found.where}: {found.text}" for found in (*record.verify(), *verify(vault))]
            must(not problems, f"does not verify: {'; '.join(problems)}")
            deeds = [(event.kind, event.subject, event.actor) for event in record.events()]
            held = vault.totals()
        keyring = (ours.vault / "keyring.json").read_bytes()
        return {
            "deeds": deeds,
            "held": held,
            "keys": keyring,
            "champion": get_alias(tracking_of(ours), "preceptor", "champion"),
        }


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--megabytes", type=int, default=128, help="of the small disk")
    options.add_argument("--patience", type=float, default=300, metavar="SECONDS", help="for one command")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the disk goes with it
    warm()
    with tempfile.TemporaryDirectory(prefix="preceptor-decisions-") as name:
        scratch = Path(name)
        with small_disk(scratch / "disk", given.megabytes) as disk:
            story = Story(disk, make_home(disk.at), scratch, given.patience)
            return played(story.play, end_all)


if __name__ == "__main__":
    sys.exit(main())
