"""One fine-tuning job with a provider: upload, create, follow, cancel. Whatever kills it, it is neither sent nor paid twice.

Before something is made there, it is looked for: a file by its name, which holds its hash, and a job by its suffix, which
holds the digest of the work. So an answer that got lost on the way costs nothing.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.providers import material
from preceptor.providers.connection import Connection, ProviderFailed, Unclear, code_of, named
from preceptor.providers.material import Material
from preceptor.providers.policy import Permit
from preceptor.providers.state import ENDS, SUCCEEDED, State

_LOOKS_FOR_FILE = 240  # at a file that the provider checks, one every poll_seconds
_PAGE = 100
_NOT_READY = frozenset({"pending", "running", "queued", "notrunning"})
_METRICS = {
    "train_loss": "loss",
    "training_loss": "loss",
    "valid_loss": "eval_loss",
    "full_valid_loss": "eval_loss",
}


def say(line: str) -> None:
    """Tell people, on standard error: ids and numbers, never the provider's own words."""
    print(f"provider: {line}", file=sys.stderr, flush=True)


class FineTuning:
    """A job, its folder and how far it has come. `sleep` takes seconds."""

    def __init__(
        self, connection: Connection, folder: Path, state: State, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._connection, self._folder, self._state, self._sleep = connection, folder, state, sleep
        self._every = connection.settings.poll_seconds
        self._told: set[str] = set()

    def begin(self, permit: Permit, given: Material) -> None:
        """Find the job or create it, uploading what is not there. Raises `ProviderFailed`, `PolicyRefused`."""
        state = self._state
        state.approval = permit.approval
        self._keep()
        found = self._find_job()
        if found is None:
            for file, examples in given.examples.items():
                if examples and file not in state.files:
                    state.files[file] = self._uploaded(permit, given, file)
                    self._keep()
            for file in list(state.files):
                self._await_file(file)
            found = self._created()
            say(f"job {found} was created with {state.model}.")
        else:
            say(f"job {found} is there already; going on with it.")
        state.job, state.status = found, "created"
        self._keep()
        self._discard_local()

    def follow(self) -> None:
        """Look until it ends; then the files at the provider are deleted. Raises `PreceptorError` unless it succeeded."""
        state, wait = self._state, self._every
        while state.status not in ENDS:
            found = self._connection.get("fine_tuning", "jobs", str(state.job))
            self._events()
            self._take(found)
            if state.status not in ENDS:
                self._sleep(wait)
                wait = min(4 * self._every, 1.25 * wait)
        self.clean_up()
        if state.status == SUCCEEDED:
            return
        why = f", {state.error}" if state.error else ""
        raise PreceptorError(
            f"Job {state.job} with {state.provider} {state.status}{why} (rule provider-job-{state.status}). Its page at the "
            "provider says more. The same command begins another one, once a privacy officer has approved that."
        )

    def cancel(self) -> None:
        """End it at the provider. Raises `ProviderFailed`; a job that has ended already is left as it is."""
        if self._state.status not in ENDS:
            with contextlib.suppress(
                ProviderFailed
            ):  # it may have ended in between; what it is now is asked next
                self._connection.post("fine_tuning", "jobs", str(self._state.job), "cancel", repeatable=True)
            self._take(self._connection.get("fine_tuning", "jobs", str(self._state.job)))
        if self._state.status not in ENDS:
            raise ProviderFailed(
                f"Job {self._state.job} is {self._state.status} still (rule provider-not-cancelled). Try again, or cancel it "
                "on the provider's own page."
            )
        self.clean_up()

    def clean_up(self) -> None:
        """Delete the uploaded files at the provider. One that it keeps is told and tried again the next time."""
        self._discard_local()
        for file, id in list(self._state.files.items()):
            try:
                self._connection.delete("files", id)
            except ProviderFailed:
                say(f"the {file} file {id} could not be deleted at the provider; delete it there.")
            else:
                del self._state.files[file]
                self._keep()

    def _keep(self) -> None:
        self._state.keep(self._folder)

    def _discard_local(self) -> None:
        for file in material.SPLITS:
            (self._folder / f"{file}.jsonl").unlink(missing_ok=True)

    def _uploaded(self, permit: Permit, given: Material, file: str) -> str:
        measured = given.measured[file]
        name = f"{self._state.suffix}-{file}-{measured.sha256[:16]}.jsonl"
        path = self._folder / f"{file}.jsonl"

        def send() -> str:
            material.write(path, given.examples[file], measured)
            say(f"uploading {measured.examples} {file} examples, {measured.bytes:,} bytes.")
            return named(self._connection.upload(permit, path, name).get("id"), "file id")

        def find() -> str | None:
            for entry in self._pages("files", purpose="fine-tune"):
                if entry.get("filename") == name and entry.get("bytes") == measured.bytes:
                    return named(entry.get("id"), "file id")
            return None

        return self._once(find, send)

    def _await_file(self, file: str) -> None:
        id = self._state.files[file]
        for _ in range(_LOOKS_FOR_FILE):
            try:
                status = str(self._connection.get("files", id).get("status", "processed")).lower()
            except ProviderFailed as error:
                if error.status == 404:  # as files that expire do
                    del self._state.files[file]
                    self._keep()
                raise
            if status in ("error", "failed"):
                raise ProviderFailed(
                    f"The provider does not take the file {id} (rule provider-file-refused). Its page there says why."
                )
            if status not in _NOT_READY:
                return
            self._sleep(self._every)
        raise ProviderFailed(
            f"The provider has been checking the file {id} for long (rule provider-file-waits). The same command goes on."
        )

    def _created(self) -> str:
        state, settings = self._state, self._connection.settings
        body: dict[str, Any] = {
            "model": state.model,
            "training_file": state.files["training"],
            "hyperparameters": {"n_epochs": settings.epochs},
            "suffix": state.suffix,
            "seed": settings.seed,
        }
        if "validation" in state.files:
            body["validation_file"] = state.files["validation"]

        def create() -> str:
            answer = self._connection.post("fine_tuning", "jobs", body=body, repeatable=False)
            return named(answer.get("id"), "job id")

        return self._once(self._find_job, create)

    def _once(self, find: Callable[[], str | None], make: Callable[[], str]) -> str:
        """What is there already, or what is made; looked for again where an answer got lost."""
        for _ in range(3):
            found = find()
            if found is not None:
                return found
            try:
                return make()
            except Unclear as error:
                unclear = error
                self._sleep(self._connection.settings.retry_seconds)
        found = find()
        if found is not None:
            return found
        raise unclear

    def _find_job(self) -> str | None:
        state = self._state
        old = {entry["job"] for entry in state.ended}
        for entry in self._pages("fine_tuning", "jobs"):
            ours = state.suffix == entry.get("user_provided_suffix") or (
                "training" in state.files and entry.get("training_file") == state.files["training"]
            )
            if ours and entry.get("id") not in old and entry.get("status") not in ENDS[1:]:
                return named(entry.get("id"), "job id")
        return None

    def _take(self, found: dict[str, Any]) -> None:
        """Note what the provider says of the job now."""
        state, before = self._state, self._state.status
        state.status = named(found.get("status"), "status")
        if state.status == SUCCEEDED:
            state.fine_tuned_model = named(found.get("fine_tuned_model"), "name of the fine-tuned model")
        tokens = found.get("trained_tokens")
        state.trained_tokens = tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else None
        state.error = code_of(found.get("error")) if state.status == "failed" else None
        self._keep()
        if state.status != before:
            say(f"job {state.job} is {state.status}.")

    def _events(self) -> None:
        """Losses by step; their numbers are kept, the provider's words are not."""
        steps = {row["step"]: row for row in self._state.history}
        fresh = []
        for event in self._pages("fine_tuning", "jobs", str(self._state.job), "events", stop=self._told):
            self._told.add(str(event.get("id")))
            if isinstance(data := event.get("data"), dict) and isinstance(data.get("step"), int):
                fresh.append(data)
        for data in reversed(fresh):  # they come newest first
            row = steps.setdefault(data["step"], {"step": data["step"]})
            row |= {
                ours: v for name, ours in _METRICS.items() if isinstance(v := data.get(name), int | float)
            }
        if fresh:
            self._state.history = [steps[step] for step in sorted(steps)]
            self._keep()
            last = self._state.history[-1]
            say(f"step {last['step']}" + (f", loss {last['loss']:.4f}" if "loss" in last else ""))

    def _pages(
        self, *route: str, stop: set[str] | None = None, **parameters: str | int
    ) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page; as far as one whose id is in `stop`."""
        after: dict[str, str] = {}
        while True:
            page = self._connection.get(*route, limit=_PAGE, **parameters, **after)
            entries = [entry for entry in page.get("data") or [] if isinstance(entry, dict)]
            for entry in entries:
                if stop and str(entry.get("id")) in stop:
                    return
                yield entry
            if not page.get("has_more") or not entries or after == {"after": str(entries[-1].get("id"))}:
                return
            after = {"after": str(entries[-1].get("id"))}
