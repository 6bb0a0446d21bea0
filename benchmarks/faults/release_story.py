"""Two people sign in a browser, a sensor promotes, and everything can be undone, however often the daemon is killed.

    python -m benchmarks.faults.release_story                  # minutes on two cores; a line a step, exit code 1 if anything differs
    python -m benchmarks.faults.release_story --no-kills       # the same without a kill -9 between the steps
    python -m benchmarks.faults.release_story --folder /tmp/r  # a new folder, which is kept, to look at its home and logs

Real are Dagster's webserver and daemon, the review app, Chromium, MLflow's registry, signatures, smoke prompts and the program. Small is
the model (random weights), whose versions are made here as a run of the pipeline makes them. The same story without
daemon and browser, with a kill before every single write, is `tests/release/test_story.py`.
"""

from __future__ import annotations

import argparse
import json
import re
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.outcome import must, played
from benchmarks.faults.release_services import Person, Services, chromium
from preceptor.release import registry
from preceptor.release.chain import Event
from preceptor.release.store import open_store
from tests.release.story import APPROVERS, Home, make_home

# What the record must tell in the end, whichever of versions 3 and 4 was first.
DEEDS = [
    ("promoted", "1"), ("promoted", "2"), ("rolled_back", "1"), ("rolled_back", "2"), ("rolled_back", "1"),
    ("promoted", "first"), ("promoted", "other"),
]  # fmt: skip


class Story:
    """The steps in order. `kills`: whether the daemon is killed after each of them."""

    def __init__(self, services: Services, people: list[Person], kills: bool) -> None:
        self.of, self.people, self.kills, self.killed = services, people, kills, 0
        self.home: Home = services.home
        self._began = self._last = time.monotonic()

    def told(self, text: str, then: str = "restart") -> None:
        """A step is done; now the daemon is killed, and started again unless `then` is `dead`."""
        now = time.monotonic()
        print(f"{now - self._began:6.1f} s (+{now - self._last:5.1f})  {text}", flush=True)
        self._last = now
        if "daemon" in self.of.processes and (self.kills or then == "dead"):
            self.of.kill_daemon()
            self.killed += 1
        if "daemon" not in self.of.processes and then != "dead":
            self.of.start_daemon()

    def play(self) -> None:
        self.of.web.switch_on("approvals")
        self.told("the sensor `approvals` is switched on")
        for number in (1, 2):
            ref = self.home.version(number).ref
            self.told(f"{ref} is made, evaluated and registered")
            for person in self.people:
                self._must_be_champion(number - 1 or None)
                person.approve(ref, f"read by {person.name}")
                self.told(f"{person.name} has signed {ref} in the browser")
            self._becomes_champion(number)
            self.told(f"the daemon's sensor has promoted {ref}")
        self._rolls_back({}, 1)
        self.told("rolled back to preceptor/1 by the job in Dagster")
        self._rolls_back({"to": "preceptor/2"}, 2)
        self.told("the rollback is rolled back: preceptor/2")
        self._program("the registry agrees", "release", "verify")
        self.told("the record verifies")
        self._one_byte()
        self._program("preceptor/2", "forget", "--patient", "77")
        self.told("a patient of preceptor/2 is erased: it is barred")
        self._rolls_back({}, 1)
        run = self.of.web.launch("rollback", _go_back({"to": "preceptor/2"}))
        self.of.wait_for("the refusal", lambda: self.of.status(run) == "FAILURE")
        self._program("it is barred", "release", "rollback", "--to", "preceptor/2", code=3)
        self._must_be_champion(1)
        self.told("back to preceptor/1; preceptor/2 is refused to Dagster and to the program", then="dead")
        self._two_at_once()
        self._ends_the_same()

    def _two_at_once(self) -> None:
        refs = [self.home.version(number).ref for number in (3, 4)]
        for person in self.people:
            for ref in refs:
                person.approve(ref, f"read by {person.name}")
        self.told(f"{' and '.join(refs)} are made and signed by both, without a daemon", then="dead")
        started = {ref: self.of.program("release", "promote", ref) for ref in refs}
        ended = {ref: (process.communicate()[0], process.returncode) for ref, process in started.items()}
        codes = sorted(code for _, code in ended.values())
        must(codes == [0, 3], f"of two promotions at once, the exit codes are {codes}")
        self.first, self.other = sorted(refs, key=lambda ref: ended[ref][1])
        must("rule overtaken" in ended[self.other][0], "the other is not told that it was overtaken")
        self._must_be_champion(int(self.first[-1]))
        self.told(f"of two promotions at once {self.first} won, {self.other} was told")
        self._becomes_champion(int(self.other[-1]))
        self.told(
            f"{self.other} still has its approvals: the daemon, back again, asked for it, and it is champion"
        )

    def _one_byte(self) -> None:
        """One byte of a signed reason, in the file itself: named, and nothing is decided until it is back."""
        path, right, wrong = self.home.workspace.release / "release.db", "read by ben", "read by bem"
        for place in _places(path, right):  # the file also holds what SQLite has moved elsewhere since
            _write(path, place, wrong)
            if changed := [e.id for e in self._events("approved") if e.payload["reason"] == wrong]:
                break
            _write(path, place, right)
        (event,) = changed
        self._program(f"event {event}:", "release", "verify", code=1)
        self._program("", "release", "rollback", code=1)
        self._must_be_champion(2)
        self.told(f"one byte of event {event} was changed: `verify` names it, and a rollback is refused")
        _write(path, place, right)
        self._program("the registry agrees", "release", "verify")
        self.told("the byte is put back: the record verifies")

    def _rolls_back(self, more: dict[str, str], to: int) -> None:
        run = self.of.web.launch("rollback", _go_back(more))
        self.of.wait_for("the rollback", lambda: self.of.status(run) in ("SUCCESS", "FAILURE"))
        must(self.of.status(run) == "SUCCESS", f"the rollback to version {to} failed")
        self._must_be_champion(to)

    def _ends_the_same(self) -> None:
        names = {f"preceptor/{n}": str(n) for n in (1, 2)} | {self.first: "first", self.other: "other"}
        deeds = [(event.kind, names[event.subject]) for event in self._events("promoted", "rolled_back")]
        must(deeds == DEEDS, f"the record tells another story: {deeds}")
        intents = self._events("promoting", "rolling_back")
        must(len(intents) == len(deeds), f"{len(intents)} were begun, {len(deeds)} done")
        smoke = [e.payload["smoke"] for e in self._events("promoted")]
        must(all(s["asked"] and not s["differing"] for s in smoke), f"smoke prompts: {smoke}")
        aliases = [self._alias(alias) for alias in ("champion", "previous", "candidate")]
        must(aliases == [int(self.other[-1]), int(self.first[-1]), None], f"the aliases stand at {aliases}")
        self._program("the registry agrees", "release", "verify")
        elsewhere = [url for person in self.people for url in person.elsewhere]
        must(not elsewhere, f"the browser asked elsewhere: {elsewhere}")
        self.told(f"the story ended as it should; the daemon was killed {self.killed} times", then="dead")

    def _becomes_champion(self, number: int) -> None:
        self.of.wait_for(f"the promotion of version {number}", lambda: self._alias("champion") == number)

        def recorded() -> bool:
            return any(e.subject == f"preceptor/{number}" for e in self._events("promoted"))

        self.of.wait_for("its deed in the record", recorded)

    def _must_be_champion(self, number: int | None) -> None:
        found = self._alias("champion")
        must(found == number, f"the champion is {found}, not {number}")

    def _alias(self, alias: str) -> int | None:
        return registry.get_alias(registry.tracking_of(self.home.workspace), "preceptor", alias)

    def _events(self, *kinds: str) -> list[Event]:
        store = open_store(self.home.workspace)
        try:
            return store.events(kinds=kinds)
        finally:
            store.close()

    def _program(self, says: str, *arguments: str, code: int = 0) -> None:
        process = self.of.program(*arguments)
        said = process.communicate()[0]
        told = f"`preceptor {' '.join(arguments)}` ended with {process.returncode}: {said.strip()[-600:]}"
        must(process.returncode == code and says in said, told)


def _go_back(more: dict[str, str]) -> dict[str, Any]:
    return {"ops": {"roll_back": {"config": {"reason": "worse in practice", **more}}}}


def _places(path: Path, text: str) -> list[int]:
    """Where a text stands in a database's file."""
    db = sqlite3.connect(path, timeout=60)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return [found.start() for found in re.finditer(re.escape(text.encode()), path.read_bytes())]


def _write(path: Path, place: int, text: str) -> None:
    """Bytes into a file, past SQLite."""
    with path.open("r+b") as file:
        file.seek(place)
        file.write(text.encode())


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--folder", type=Path, help="a new folder, which is kept")
    options.add_argument("--no-kills", action="store_true")
    options.add_argument("--chromium", default="/usr/bin/chromium", metavar="PATH")
    options.add_argument(
        "--patience", type=float, default=240, metavar="SECONDS", help="for anything that is waited for"
    )
    given = options.parse_args()
    if given.folder:
        given.folder.mkdir(parents=True)
        return told(given.folder, given)
    with tempfile.TemporaryDirectory() as folder:
        return told(Path(folder), given)


def told(folder: Path, given: argparse.Namespace) -> int:
    """Play the story in a folder; return the exit code."""
    home = make_home(folder)
    values = json.loads(home.config.read_text())
    values["release"]["promotion_minutes"] = (
        1.5  # one that was killed with the daemon is asked for again after that
    )
    home.config.write_text(json.dumps(values))
    services = Services(home, given.patience)

    def play() -> None:
        services.start()
        with chromium(given.chromium) as browser:
            people = [Person(browser, services, name) for name in APPROVERS]
            for person in people:
                person.sign_in()
            Story(services, people, not given.no_kills).play()

    return played(play, services.stop)


if __name__ == "__main__":
    sys.exit(main())
