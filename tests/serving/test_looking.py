"""What the log says of an answer's text: numbers, filled in behind the request."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from preceptor.serving import traffic
from preceptor.serving.looking import Looker, abstains, leak_hits
from preceptor.serving.scribe import Scribe
from preceptor.serving.traffic import TrafficLog
from preceptor.settings import DeidSettings, ServingSettings, Settings, Workspace
from tests.serving.test_traffic import served

ANSWER = "Call the clinic at 555-201-8890 or write to harlan.voss@example.org. BP 120/80, troponin negative."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", True),
        ("  \n", True),
        ("There is not enough information to give a diagnosis.", True),
        ("I cannot determine the diagnosis from this note.", True),
        ("1. Unable to determine the cause: pneumonia", False),
        ("Seen for chest pain. ECG normal. Discharged home.", False),
        ("We were unable to assess the gait. " + "The patient was seen, examined and treated. " * 12, False),
    ],
)
def test_an_answer_that_declines_is_short_and_says_so(answer, expected):
    assert abstains(answer) is expected


def test_identifiers_count_once_each_unless_the_prompt_has_them():
    settings = DeidSettings(tagger="none")
    assert leak_hits("Summarise.", ANSWER, settings) == 2
    assert leak_hits("Summarise.", f"{ANSWER} {ANSWER}", settings) == 2
    assert leak_hits("The number is 555-201-8890.", ANSWER, settings) == 1
    assert leak_hits(ANSWER, ANSWER, settings) == 0
    assert leak_hits("Summarise.", "BP 120/80, troponin negative.", settings) == 0


def test_what_is_found_goes_into_the_file_of_the_answers_day(tmp_path):
    log = TrafficLog(tmp_path)
    today = log.add(served("now"))
    log.add_leak_hits("now", today, 3)
    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    before = traffic.open_day(tmp_path, yesterday)
    before.close()
    log.add_leak_hits("unknown", yesterday, 1)  # it is gone: nothing is made of it
    log.close()
    assert [(row.request_id, row.leak_hits) for row in traffic.requests(tmp_path)] == [("now", 3)]


def rows_written_by(tmp_path, **changes):
    """What the log holds after three answers, once nothing more is coming."""
    settings = Settings(
        serving=ServingSettings(transcripts=False, **changes), deid=DeidSettings(tagger="none")
    )
    workspace = Workspace(tmp_path)

    async def write() -> list[traffic.Served]:
        scribe = Scribe(workspace, settings, on_loss=lambda _: None)
        await scribe.start()
        await scribe.write(served("leaks"), "Summarise.", ANSWER)
        await scribe.write(served("declines"), "Summarise.", "")
        await scribe.write(served("failed", outcome="error"), "Summarise.", "")
        deadline = time.monotonic() + 20
        while settings.serving.leak_check and time.monotonic() < deadline:
            found = list(traffic.requests(workspace.serving / "traffic"))
            if all(r.leak_hits is not None for r in found if r.outcome == "stop"):
                break
            await asyncio.sleep(0.05)
        await scribe.close()
        return list(traffic.requests(workspace.serving / "traffic"))

    return {r.request_id: (r.abstained, r.leak_hits) for r in asyncio.run(write())}


def test_the_gateway_fills_in_both(tmp_path):
    expected = {"leaks": (False, 2), "declines": (True, 0), "failed": (None, None)}
    assert rows_written_by(tmp_path) == expected


def test_identifiers_are_not_looked_for_where_that_is_off(tmp_path):
    assert rows_written_by(tmp_path, leak_check=False)["leaks"] == (False, None)


def test_too_many_at_once_are_left_out_and_a_failure_names_no_text(caplog):
    started: list[str] = []

    def note(request_id: str, day: str, hits: int) -> None:
        started.append(request_id)
        time.sleep(0.002)
        raise ValueError(ANSWER)

    looker = Looker(DeidSettings(tagger="none"), note)
    leak_hits("", "warm", DeidSettings(tagger="none"))
    began = time.monotonic()
    for n in range(1000):
        looker.look(f"r{n}", "2026-01-01", "", "short")
    assert time.monotonic() - began < 1  # nobody waits for it
    looker.close()
    assert 0 < len(started) < 1000
    assert "ValueError" in caplog.text and "harlan" not in caplog.text
