"""Writes what is kept of every answer: numbers to the green log, texts to the vault. In a thread of its own, since both
wait for the disk, and the vault is used by the thread that opened it."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from preceptor.serving import traffic
from preceptor.serving.looking import Looker, abstains
from preceptor.serving.traffic import Feedback, Served, TrafficLog
from preceptor.settings import Settings, Workspace
from preceptor.vault import Vault, open_vault
from preceptor.vault.transcripts import Transcript, Transcripts

_log = logging.getLogger(__name__)
# Days without an answer after which the clock may have jumped. Then nothing is discarded for a day: what is deleted is gone.
_GAP_DAYS = 31


class Scribe:
    """`on_loss(log)` is called when something could not be written; then `whole` is False until it can be again."""

    def __init__(self, workspace: Workspace, settings: Settings, on_loss: Callable[[str], None]) -> None:
        self._workspace, self._settings, self._on_loss = workspace, settings, on_loss
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scribe")
        self._traffic = TrafficLog(workspace.serving / "traffic")
        looks = settings.serving.leak_check
        self._looker = Looker(settings.deid, self._traffic.add_leak_hits) if looks else None
        self._vault: Vault | None = None
        self._transcripts: Transcripts | None = None
        self._cleaned: date | None = None
        self.whole = True

    async def start(self) -> None:
        await self._do(self._open)

    async def write(self, served: Served, prompt: str, answer: str, patient_id: str = "") -> None:
        await self._do(self._write, served, prompt, answer, patient_id)

    async def feedback(self, request_id: str, rating: int | None, final: str | None) -> bool:
        """Note what became of an answer; False if there is no such answer."""
        return await self._do(self._feedback, request_id, rating, final)

    async def close(self) -> None:
        await self._do(self._close)
        self._thread.shutdown()

    async def _do(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    def _open(self) -> None:
        if self._settings.serving.transcripts:
            self._vault = open_vault(self._workspace, self._settings.vault)
            self._transcripts = self._vault.transcripts()
            self._vault.note("wrote", "serving: transcripts of prompts and answers")
        self._clean()

    def _clean(self) -> None:
        today, kept = datetime.now(UTC).date(), self._settings.serving
        if self._cleaned == today:
            return
        before = traffic.days(self._traffic.folder, until=today - timedelta(days=1))
        if before and (today - before[-1]).days > _GAP_DAYS:
            self._cleaned = today
            _log.warning(
                "nothing old is discarded today: the clock says %s, and the last answer before is of %s (rule clock-jump). "
                "If the clock is right, that is made up for tomorrow",
                today,
                before[-1],
            )
            return
        traffic.discard_before(self._traffic.folder, today - timedelta(days=kept.keep_traffic_days))
        if self._transcripts:
            self._transcripts.discard_before(today - timedelta(days=kept.keep_transcripts_days))
        self._cleaned = today

    def _write(self, served: Served, prompt: str, answer: str, patient_id: str) -> None:
        whole = True
        try:
            self._clean()
            written = served.outcome in ("stop", "length")
            if written:
                served = replace(served, abstained=abstains(answer))
            day = self._traffic.add(served, prompt, answer)
            if written and self._looker:
                self._looker.look(served.request_id, day, prompt, answer)
        except Exception as error:
            whole = self._lost("traffic", error)
        if self._transcripts and self._vault and prompt:
            try:
                patient = self._patient(patient_id)
                if patient is None or not self._vault.is_erased(patient):
                    self._transcripts.put(
                        Transcript(served.request_id, served.version, prompt, answer), patient
                    )
            except Exception as error:
                whole = self._lost("transcripts", error)
        self.whole = whole

    def _patient(self, patient_id: str) -> str | None:
        assert self._vault
        return (
            (self._vault.find_patient(patient_id) or self._vault.patient_ref(patient_id))
            if patient_id
            else None
        )

    def _lost(self, log: str, error: Exception) -> bool:
        _log.error("the %s could not be written: %s", log, type(error).__name__)
        self._on_loss(log)
        return False

    def _feedback(self, request_id: str, rating: int | None, final: str | None) -> bool:
        served = traffic.find(self._traffic.folder, request_id)
        if served is None:
            return False
        kept = None
        if final is not None and self._transcripts and self._vault:
            self._vault.note("read", "serving: a clinician's final text beside its draft")
            found = self._transcripts.find(request_id)
            if found:
                transcript, patient = found
                kept = kept_share(transcript.answer, final)
                self._transcripts.put(replace(transcript, final=final), patient)
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._traffic.add_feedback(Feedback(request_id, at, served.version, rating, kept))
        return True

    def _close(self) -> None:
        if self._looker:
            self._looker.close()
        self._traffic.close()
        if self._transcripts:
            self._transcripts.close()
        if self._vault:
            self._vault.close()


def kept_share(draft: str, final: str) -> float:
    """The share of a draft's words that survive, in order, in the final text (difflib's matching blocks).

    >>> kept_share("the patient has a cough", "the patient had a bad cough")
    0.8
    """
    one, other = draft.split(), final.split()
    if not one:
        return 0.0
    blocks = difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return round(sum(block.size for block in blocks) / len(one), 4)
