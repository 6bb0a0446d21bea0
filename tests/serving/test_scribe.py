"""What is kept of answers, and for how long, whatever the clock says."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from preceptor.serving import scribe as scribe_module
from preceptor.serving import traffic
from preceptor.serving.scribe import Scribe
from preceptor.settings import DeidSettings, ServingSettings, Settings, Workspace
from tests.serving.test_traffic import served

SETTINGS = Settings(
    serving=ServingSettings(transcripts=True, leak_check=False), deid=DeidSettings(tagger="none")
)
TODAY = datetime.now(UTC).date()


@pytest.fixture
def clock(monkeypatch):
    """Sets the clock of whatever writes answers ahead by so many days."""

    def ahead(days: float) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + timedelta(days=days)

        for module in (scribe_module, traffic, transcripts_module):
            monkeypatch.setattr(module, "datetime", Clock)

    from preceptor.vault import transcripts as transcripts_module

    return ahead


def answers(workspace: Workspace, request_id: str) -> None:
    """A server starts, answers one question, and ends."""

    async def work() -> None:
        scribe = Scribe(workspace, SETTINGS, on_loss=lambda log: pytest.fail(f"lost: {log}"))
        await scribe.start()
        await scribe.write(served(request_id), "Summarise.", "Stable.")
        await scribe.close()

    asyncio.run(work())


def kept(workspace: Workspace) -> dict[str, bool]:
    """The requests that the log has, and whether the vault has their texts."""
    from contextlib import closing

    from preceptor.vault import open_vault

    ids = [row.request_id for row in traffic.requests(workspace.serving / "traffic")]
    with closing(open_vault(workspace)) as vault, closing(vault.transcripts()) as texts:
        return {id: texts.find(id) is not None for id in ids}


def test_a_clock_that_jumps_ten_years_ahead_discards_nothing(tmp_path, clock, caplog):
    workspace = Workspace(tmp_path)
    answers(workspace, "before")
    clock(3650)
    with caplog.at_level(logging.WARNING):
        answers(workspace, "wrong clock")
    assert "rule clock-jump" in caplog.text and TODAY.isoformat() in caplog.text
    clock(0)
    answers(workspace, "after")
    assert kept(workspace) == {"before": True, "after": True, "wrong clock": True}


def test_a_day_after_a_long_pause_what_is_too_old_goes(tmp_path, clock):
    """A server that was off for two months is no clock that jumped: what is too old may stay a day longer, and no more."""
    workspace, pause = Workspace(tmp_path), SETTINGS.serving.keep_traffic_days + 10
    answers(workspace, "before")
    clock(pause)
    answers(workspace, "first")
    assert set(kept(workspace)) == {"before", "first"}
    clock(pause + 1)
    answers(workspace, "second")
    assert kept(workspace) == {"first": True, "second": True}
