"""Where facts come from: a registry, a record, a vault and data as the pipeline leaves them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from preceptor.errors import PreceptorError
from preceptor.monitoring.alarms import open_alarms
from preceptor.monitoring.causes import History, Seen
from preceptor.monitoring.facts import DIGEST, champion_of, gather, open_sources
from preceptor.monitoring.stage import REPORT
from preceptor.release.candidates import bar
from preceptor.release.erasure import ERASED
from preceptor.release.registry import CHAMPION, set_alias, tracking_of
from preceptor.release.store import open_store
from preceptor.versions import MANIFEST, write_atomic

from .conftest import reviewing


def found(home, alarms=open_alarms):
    with open_sources(home.workspace, home.settings, tracking_of(home.workspace), alarms) as sources:
        return gather(sources, champion_of(sources), None, (), "", History())


@contextmanager
def store_of(home):
    store = open_store(home.workspace)
    yield store
    store.close()


def test_of_a_home_where_nothing_happened_there_is_nothing_to_say(home):
    facts = found(home)
    assert (facts.champion, facts.seen) == ("preceptor/1", Seen())
    assert (datetime.now(UTC) - facts.promoted_at).total_seconds() < 3600
    set_alias(tracking_of(home.workspace), "preceptor", CHAMPION, None)
    assert found(home).champion is None


def test_new_documents_are_those_of_batches_that_the_champion_did_not_learn_from(home):
    home.batch("b2", 40)
    home.batch("b3", 5)
    assert found(home).seen.documents == 45


def test_of_each_reviewed_case_the_last_decision_since_the_champion_counts(home):
    with store_of(home) as store:
        sign = reviewing(store)
        for case, verdict in (
            ("a", "accept"),
            ("b", "correct"),
            ("c", "reject"),
            ("a", "reject"),
            ("d", "accept"),
        ):
            store.append(
                "example_reviewed", f"summary-{case}", "rita", {"case": case, "verdict": verdict}, sign
            )
    assert found(home).seen.reviewed == 2  # b and d
    with store_of(home) as store:
        store.append("registered", "preceptor/1", "test", {"version": "preceptor/1"})
    assert found(home).seen.reviewed == 0


def test_the_drift_report_counts_only_if_it_is_about_this_champion(home):
    report = {"reference": "preceptor/1", "psi": {"length": 0.4, "specialty": 0.1}, "drifted": True}
    write_atomic(home.workspace.monitoring / REPORT, json.dumps(report))
    facts = found(home)
    assert facts.seen.drifted and "length has a stability index of 0.4" in facts.drift
    write_atomic(home.workspace.monitoring / REPORT, json.dumps(report | {"reference": "preceptor/0"}))
    assert not found(home).seen.drifted


@dataclass
class Alarm:
    measure: str
    first: str
    subject: str = "preceptor/1"

    @property
    def text(self) -> str:
        return f"{self.measure} is low"


def test_alarms_that_say_nothing_of_the_model_are_left_out(home):
    alarms = [Alarm("kept", "2026-06-20"), Alarm("volume", "2026-06-20"), Alarm("gap_sex", "2026-06-21")]
    facts = found(home, lambda folder: alarms)
    assert facts.seen.alarms == ("preceptor/1 kept 2026-06-20", "preceptor/1 gap_sex 2026-06-21")
    assert facts.alarms == ("kept is low", "gap_sex is low")


def test_an_alarm_of_another_version_counts_only_after_a_rollback_from_it(home):
    alarms = [Alarm("kept", "2026-06-20", subject="preceptor/2")]
    assert found(home, lambda folder: alarms).seen.alarms == ()
    with store_of(home) as store:
        store.append("rolled_back", "preceptor/1", "test", {"version": "preceptor/1"})
    assert found(home, lambda folder: alarms).seen.alarms == ("preceptor/2 kept 2026-06-20",)


def test_an_erasure_counts_if_it_reached_the_champion_and_a_second_one_is_another(home):
    with store_of(home) as store:
        bar(store, ["preceptor/1"], reason="a person thought so", actor="test")
        assert found(home).seen.erasure == ""
        store.append("barred", "preceptor/1", "test", {"version": "preceptor/1", "reason": ERASED})
    first = found(home)
    assert first.seen.erasure and "has been erased" in first.erased
    path = home.workspace.data / "curated" / home.champion.data["curated"] / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"erasures": 1}))
    assert found(home).seen.erasure not in ("", first.seen.erasure)


def test_somebody_who_opts_out_is_told_as_a_number_and_never_by_name(home, tmp_path):
    out = tmp_path / "opt-out.csv"
    out.write_text("b1-2\n")
    home.with_settings(intake={**home.settings.intake.model_dump(), "opt_out": str(out)})
    facts = found(home)
    assert facts.seen.erasure and "1 patients" in facts.erased
    assert not any(ref in f"{facts.erased} {facts.seen}" for ref in (*home.patients, "b1-2"))
    out.write_text("somebody-else-77\n")
    assert found(home).seen.erasure == ""


def test_another_base_model_or_another_copy_of_it_is_seen(home, tmp_path):
    other = tmp_path / "larger"
    other.mkdir()
    (other / "config.json").write_text('{"size": 2}')
    theirs = home.settings.base_model
    home.with_settings(base_model=f"path:{other}")
    assert found(home).seen.base == f"path:{other}"
    (other / "config.json").write_text("{}")  # the same files under another name are the same model
    assert found(home).seen.base == ""
    assert (home.workspace.monitoring / DIGEST).exists()
    home.with_settings(base_model=theirs)
    assert found(home).seen.base == ""


def test_without_the_champions_data_it_cannot_be_told_what_is_new(home):
    folder = home.workspace.data / "curated" / home.champion.data["curated"]
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(PreceptorError, match="rule champion-data"):
        found(home)
