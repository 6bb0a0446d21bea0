"""The whole loop as a story: served, retrained in vain, retrained for the better, promoted under load, gone bad, rolled back.

    python -m benchmarks.faults.loop_story                     # some minutes on two cores; a line a step
    python -m benchmarks.faults.loop_story --folder /tmp/loop  # a new folder; it is kept, to look at its home
    python -m benchmarks.faults.loop_story --no-kills          # the same without a kill -9 in between

Everything is the product's own: the program, the server's process, Dagster's jobs and sensors, signatures, gates, the monitor. What is
small is the model (profile `smoke`, random weights), trained by one recipe for all versions, so that the data decide who is better:
in summer the reviewer corrects every summary to one short sentence, which such a model can learn. Traffic of weeks cannot be
waited for: it is simulated, in the days before today, as the gateway writes it. Exit code 1 if the story ends otherwise.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import httpx

from benchmarks.faults.loop_home import (
    APPROVER,
    PASSWORD,
    Hospital,
    found_hospital,
    kill,
    review,
)
from benchmarks.faults.outcome import Wrong, must

_PATIENCE = 1200.0  # seconds for anything that is waited for
_ASKED = [{"role": "user", "content": "Summarise this visit.\n\nA cough for two weeks, lungs clear."}]


class Story:
    """The steps in order; each says what happened. `kills`: whether processes are killed in between."""

    def __init__(self, hospital: Hospital, kills: bool, out: TextIO) -> None:
        self.of, self.kills, self._out, self._began = hospital, kills, out, time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", file=self._out, flush=True)

    # what people and timers do

    def tick(self, sensor: str) -> dict[str, Any]:
        """A tick of the daemon, worked through; says what Dagster shows of it."""
        found = self.of.tick(sensor)
        if not found["runs"]:
            self.say(f"Dagster, {sensor}: no run. {found['skipped'] or ''}")
        for run in found["runs"]:
            tags = [
                f"{k.removeprefix('preceptor/')}: {v}"
                for k, v in run["tags"].items()
                if "/why" in k or "/cause" in k
            ]
            ended = "succeeded" if run["success"] else f"failed ({'; '.join(run['failed'])})"
            self.say(f"Dagster, {sensor}: run {run['key']} {ended}. {'; '.join(tags)}")
            if note := run["said"].get("retraining"):
                self.say(f"  {note}")
        return found

    def killed_in(self, sensor: str, seen: Callable[[], bool], what: str) -> None:
        """A tick whose process, the run's with it, is killed as soon as `seen` is true."""
        process = self.of.sensor(sensor)
        self._kill_when(process, seen, what)
        time.sleep(16)  # a file that nobody holds is one of a killed run when it is 15 seconds old

    def _kill_when(self, process: Any, seen: Callable[[], bool], what: str) -> None:
        wait_for(lambda: seen() or process.poll() is not None, what)
        must(process.poll() is None, f"it ended before it could be killed: {what}")
        kill(process)
        self.say(f"kill -9: {what}")

    def sign(self, ref: str) -> None:
        self.of.call(
            *("release", "approve", ref, "--as", APPROVER, "--reason", "read the report", "--password-stdin"),
            stdin=PASSWORD,
        )
        self.say(f"{APPROVER} signs {ref}")

    def champion(self) -> str | None:
        from preceptor.release.registry import CHAMPION, get_alias, tracking_of

        number = get_alias(tracking_of(self.of.workspace), "preceptor", CHAMPION)
        return f"preceptor/{number}" if number else None

    def serve(self) -> Any:
        server = self.of.program("serve")
        wait_for(lambda: self._ready() or server.poll() is not None, "the server answers")
        must(server.poll() is None, "the server did not start")
        return server

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.of.address}/health/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    # the chapters

    def first_version(self) -> Any:
        """Winter's notes become version 1, which is signed, promoted and served."""
        self.say(f"intake: {self.of.bring('winter')['documents']} notes of winter")
        (run,) = self.tick("new_batches")["runs"]
        must("candidate_version" in run["steps"], "the whole pipeline ran, without a champion")
        server = self._promoted_and_served("preceptor/1")
        text = self._ask()["choices"][0]["message"]["content"]
        if self.kills:
            kill(server)
            self.say("kill -9: the server")
            server = self.serve()
        must(text == self._ask()["choices"][0]["message"]["content"], "the same answer as before")
        self.say(f"preceptor/1 answers at {self.of.address}/v1")
        return server

    def _promoted_and_served(self, ref: str) -> Any:
        """The first one: a promotion waits until the server reports it, and a server starts only with a champion."""
        self.sign(ref)
        servers: list[Any] = []

        def serve() -> None:
            wait_for(lambda: self.champion() == ref, "the alias moves", every=0.5)
            servers.append(self.serve())

        thread = threading.Thread(target=serve)
        thread.start()
        self.tick("approvals")
        thread.join()
        must(servers and self.champion() == ref, f"{ref} is champion and served")
        return servers[0]

    def second_version(self) -> None:
        """Spring's notes, and a few of winter's that somebody accepted: version 2 is no better, and ends there."""
        must("no cause" in self.tick("retraining_triggers")["skipped"], "nothing calls for a retraining yet")
        self.say(f"the reviewer accepts examples: {review(self.of, 'accept', 6)}")
        self.say(f"intake: {self.of.bring('spring')['documents']} notes of spring")
        (run,) = self.tick("new_batches")["runs"]
        must(
            "fine_tuned_model" not in run["steps"],
            "a batch by itself trains nothing while there is a champion",
        )
        if self.kills:
            before = self._checkpoints()
            begun = lambda: bool(self._checkpoints() - before)  # noqa: E731
            self.killed_in("retraining_triggers", begun, "daemon and run, in the middle of training")
        self._retrained("new-data", "preceptor/2", "not-better")

    def _checkpoints(self) -> set[Path]:
        return set(self.of.workspace.training.glob("*/**/checkpoint-*"))

    def third_version(self) -> None:
        """Summer's notes, and the reviewer's corrections of all: version 3 is better, and is promoted while a client asks."""
        self.say(f"intake: {self.of.bring('summer')['documents']} notes of summer")
        self.tick("new_batches")
        self.say(f"the reviewer corrects every example: {review(self.of, 'correct')}")
        self._retrained("new-data", "preceptor/3", "candidate")
        self.sign("preceptor/3")
        with self._client() as answers:
            (run,) = self.tick("approvals")["runs"]
            wait_for(lambda: answers[-1][1] == "preceptor/3", "the client is answered by version 3")
        statuses = {status for status, _ in answers}
        self.say(
            f"a client asked {len(answers)} times meanwhile: statuses {statuses}; server: {run['said'].get('what was seen')}"
        )
        must(statuses == {200}, "no request failed")
        must({version for _, version in answers} == {"preceptor/1", "preceptor/3"}, "one before, one after")

    def _retrained(self, cause: str, ref: str, outcome: str) -> None:
        (run,) = self.tick("retraining_triggers")["runs"]
        must(cause in run["tags"]["preceptor/cause"], f"it ran because of {cause}, perhaps among others")
        self.tick("retraining_triggers")  # settles what has ended
        entry = self.of.call("monitor", "retraining")["decisions"][-1]
        must((entry["version"], entry["outcome"]) == (ref, outcome), f"{ref} is {outcome}: {entry['note']}")
        must("report does not say" not in entry["note"], "the gate decided on what was measured")

    def gone_bad(self) -> None:
        """Weeks of traffic: with version 3 other cases come and clinicians keep less. One alarm, one rollback, and a retraining."""
        worse_from = traffic_of_weeks(self.of, "preceptor/1", "preceptor/3")
        self.say(f"traffic of five weeks; since {worse_from} clinicians keep less of what preceptor/3 drafts")
        if self.kills:
            watch = self.of.workspace.monitoring / "watch.lock"
            self._kill_when(
                self.of.program("monitor", "--json"), watch.exists, "the monitor, at work on the alarms"
            )
        for _ in range(2):
            found = self.of.call("monitor")["traffic"]
            self.say(f"monitor: {len(found['alarms'])} alarms open, rollback: {found['rollback'] or 'none'}")
        must(self.champion() == "preceptor/1", "version 1 is champion again")
        wait_for(lambda: self._ask()["model"] == "preceptor/1", "the server follows")
        deeds = self.of.call("release", "history")
        raised = [d for d in deeds if d["kind"] == "alarm_raised" and d["payload"]["measure"] == "kept"]
        back = [d for d in deeds if d["kind"] == "rolled_back"]
        must((len(raised), len(back)) == (1, 1), "one alarm and one rollback, however often the monitor ran")
        self.say(f"rolled back once, by {back[0]['actor']}: {back[0]['payload']['reason']}")
        (run,) = self.tick("retraining_triggers")["runs"]
        must("quality" in run["tags"]["preceptor/cause"], "the alarm calls for a retraining")
        self.tick("retraining_triggers")

    # the client

    def _ask(self, http: httpx.Client | None = None) -> dict[str, Any]:
        post = http.post if http else httpx.post
        answer = post(
            f"{self.of.address}/v1/chat/completions",
            json={"messages": _ASKED, "max_tokens": 8},
            **({} if http else {"timeout": 120}),
        )
        answer.raise_for_status()
        return answer.json()

    @contextmanager
    def _client(self) -> Iterator[list[tuple[int, str]]]:
        """A client that asks all the time; the list grows by status and version."""
        answers: list[tuple[int, str]] = []
        stop = threading.Event()

        def ask() -> None:
            with httpx.Client(timeout=120) as http:
                while not stop.is_set():
                    try:
                        answers.append((200, self._ask(http)["model"]))
                    except httpx.HTTPStatusError as error:
                        answers.append((error.response.status_code, ""))
                    except httpx.HTTPError:
                        answers.append((0, ""))

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            wait_for(lambda: len(answers) > 2, "the client is answered")
            yield answers
        finally:
            stop.set()
            thread.join()


def traffic_of_weeks(hospital: Hospital, good: str, worse: str) -> str:
    """Write three weeks of `good` and ten days of `worse` before today; return the day from which it is worse."""
    from preceptor.monitoring import simulation
    from preceptor.monitoring.simulation import Simulation, Truth, shifted

    before, after = 21, 10
    first = datetime.now(UTC).date() - timedelta(days=before + after)
    made, usual = Simulation(17, first), Truth(volume=90)
    days = list(made.days(usual, before, version=good))
    days += made.days(shifted(usual, kept=0.45, other_cases=0.3), after, version=worse)
    simulation.write(hospital.workspace.serving / "traffic", days)
    return days[before].date.isoformat()


def wait_for(true: Callable[[], bool], what: str, every: float = 0.05) -> None:
    """Wait until it is true, looking every so many seconds. Raises `Wrong` after twenty minutes."""
    deadline = time.monotonic() + _PATIENCE
    while not true():
        must(time.monotonic() < deadline, f"waited in vain for: {what}")
        time.sleep(every)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--folder", type=Path, help="A new folder; without it a temporary one that goes.")
    options.add_argument("--no-kills", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary) / "story").resolve()
        folder.mkdir(parents=True)
        out = os.fdopen(os.dup(1), "w")  # the story's lines; what stages and libraries print goes to the log
        with (folder / "log.txt").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        hospital = found_hospital(folder)
        story = Story(hospital, kills=not given.no_kills, out=out)
        try:
            story.first_version()
            story.second_version()
            story.third_version()
            story.gone_bad()
            story.say(f"the end: champion {story.champion()}")
        except (Wrong, RuntimeError, httpx.HTTPError) as error:
            story.say(f"WRONG: {error}")
            sys.exit(1)
        finally:
            hospital.stop()


if __name__ == "__main__":
    main()
