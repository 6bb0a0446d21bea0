"""The report from a real log on the disk, with a registry and a record beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from preceptor.monitoring import simulation
from preceptor.monitoring.alarms import ROLLED_BACK, AlarmStore, open_alarms
from preceptor.monitoring.rollback import roll_back_if_wanted
from preceptor.monitoring.simulation import Simulation, Truth, shifted
from preceptor.monitoring.traffic_report import PAGE, REPORT
from preceptor.monitoring.watch import watch_traffic
from preceptor.monitoring.windows import Day
from preceptor.notifications.message import message_of
from preceptor.release.registry import CHAMPION, get_alias
from preceptor.settings import MonitoringSettings, ReleaseSettings, Settings, Workspace
from tests.monitoring.traffic.conftest import MONDAY, served


def chosen(name, **monitoring) -> Settings:
    return Settings(release=ReleaseSettings(model_name=name), monitoring=MonitoringSettings(**monitoring))


def traffic_of(home, one: str, two: str):
    """Three weeks of the first version, and ten days of the second, of whose drafts less is kept; a shadow beside."""
    made, usual = Simulation(17, MONDAY), Truth(volume=90)
    days = list(made.days(usual, 21, version=one))
    days += made.days(shifted(usual, kept=0.5), 10, version=two)
    last = days[-1]
    shadows = [
        replace(
            r,
            request_id=f"s{r.request_id}",
            role="shadow",
            pair_of=r.request_id,
            version=one,
            answer_characters=1,
        )
        for r in last.requests[:20]
        if r.outcome == "stop"
    ]
    days[-1] = Day(last.date, (*last.requests, *shadows), last.feedback, last.words)
    simulation.write(home.serving / "traffic", days)
    return days, len(shadows)


def test_a_report_of_a_worse_champion_alarms_once_tells_it_and_rolls_back_once(
    tmp_path,
    tracking,
    store,
    name,
    promoted,
):
    one, two = promoted("good", "worse")
    home = Workspace(tmp_path / "home")
    days, pairs = traffic_of(home, one, two)
    settings = chosen(name, rollback={"on": ["kept"]})
    facts = watch_traffic(home, settings, tracking, store, today=days[-1].date + timedelta(days=1))

    assert [a["measure"] for a in facts["alarms"] if a["severity"] == "error"] == ["kept"]
    champion = facts["subjects"][two]
    assert champion["kept"]["mean"] == pytest.approx(0.5, abs=0.05)
    assert champion["measures"]["kept"]["raised"]
    week = [r for day in days[-7:] for r in day.requests]
    assert facts["subjects"]["service"]["requests"] == len([r for r in week if r.role != "shadow"])
    assert facts["pairs"][f"shadow {one}"]["pairs"] == facts["pairs"][f"shadow {one}"]["shorter"] == pairs

    assert facts["rollback"]["champion"] == one
    assert get_alias(tracking, name, CHAMPION) == int(one.rpartition("/")[2])
    deed = store.events(subject=one, kinds=("rolled_back",))[-1]
    assert deed.actor == "monitor" and "Share of the draft kept" in deed.payload["reason"]
    told = [message_of(e).text for e in store.events(subject=two, kinds=("alarm_raised",))]
    assert len([text for text in told if "Share of the draft kept" in text]) == 1
    assert store.verify() == []

    again = watch_traffic(home, settings, tracking, store, today=days[-1].date + timedelta(days=1))
    assert again["rollback"] is None and again["champion"] == one
    assert two in [
        a["subject"] for a in again["alarms"] if a["measure"] == "kept"
    ]  # until there is a better one
    assert len(store.events(kinds=("rolled_back",))) == 1
    assert (
        len([e for e in store.events(subject=two, kinds=("alarm_raised",)) if e.payload["measure"] == "kept"])
        == 1
    )
    assert json.loads((home.monitoring / REPORT).read_text()) == again


def test_without_a_policy_nothing_rolls_back_and_a_second_alarm_does_not_either(
    tmp_path,
    tracking,
    store,
    name,
    promoted,
):
    one, two = promoted("first", "second")
    home = Workspace(tmp_path / "home")
    days, _ = traffic_of(home, one, two)
    after = days[-1].date + timedelta(days=1)
    assert watch_traffic(home, chosen(name), tracking, store, today=after)["rollback"] is None
    assert get_alias(tracking, name, CHAMPION) == int(two.rpartition("/")[2])
    kept = next(a for a in open_alarms(home.monitoring) if a.measure == "kept")
    alarms = AlarmStore(home.monitoring)
    with alarms.transaction():
        alarms.note(
            ROLLED_BACK, kept, champion=one
        )  # as if it had been done, and somebody had promoted it again
    alarms.close()
    wants = chosen(name, rollback={"on": ["kept"]})
    assert roll_back_if_wanted(home, wants, tracking, store) is None
    assert get_alias(tracking, name, CHAMPION) == int(two.rpartition("/")[2])


def test_a_first_champion_cannot_be_rolled_back_and_it_is_said_once(
    tmp_path, tracking, store, name, promoted
):
    (one,) = promoted("only")
    home = Workspace(tmp_path / "home")
    made, usual = Simulation(19, MONDAY), Truth(volume=90)
    days = [*made.days(usual, 16, version=one), *made.days(shifted(usual, errors=0.2), 3)]
    simulation.write(home.serving / "traffic", days)
    settings = chosen(name, rollback={"on": ["errors"]})
    after = days[-1].date + timedelta(days=1)
    facts = watch_traffic(home, settings, tracking, store, today=after)
    assert facts["rollback"]["champion"] is None and "no previous champion" in facts["rollback"]["why"]
    assert watch_traffic(home, settings, tracking, store, today=after)["rollback"] is None


class Page(HTMLParser):
    """What a browser would fetch from elsewhere, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched, self.text, self.drawings = [], "", 0

    def handle_starttag(self, tag, attrs):
        self.fetched += [v for k, v in attrs if k in ("src", "href") and not (v or "").startswith("#")]
        self.drawings += tag == "svg"

    def handle_data(self, data):
        self.text += data


def test_the_page_is_whole_by_itself_and_small_groups_are_not_shown(
    tmp_path, tracking, store, name, promoted
):
    (one,) = promoted("page")
    home = Workspace(tmp_path / "home")
    days = list(Simulation(23, MONDAY).days(Truth(volume=60), 20, version=one))
    rare = served(
        "rare", version=one, sex="female", language="pt", key_id="key-of-ward-3", specialty="<b>x</b>"
    )
    days[-1] = Day(days[-1].date, (*days[-1].requests, rare), days[-1].feedback, days[-1].words)
    simulation.write(home.serving / "traffic", days)
    facts = watch_traffic(home, chosen(name), tracking, store, today=days[-1].date + timedelta(days=1))
    assert facts["subjects"][one]["groups"]["language"]["pt"] == {
        "requests": None,
        "fewer_than": 10,
    }
    written = (home.monitoring / PAGE).read_text()
    page = Page()
    page.feed(written)
    assert page.fetched == [] and "<script" not in written and "<b>x" not in written
    assert page.drawings > 10
    assert "language: pt" in page.text and "fewer than 10" in page.text
    assert "key-of-ward-3" not in written + (home.monitoring / REPORT).read_text()


def test_without_traffic_or_a_champion_the_report_says_so(tmp_path, tracking, store, name):
    home = Workspace(tmp_path / "home")
    facts = watch_traffic(home, chosen(name), tracking, store)
    assert facts["log_begins"] is None and facts["alarms"] == [] and facts["champion"] is None
    assert "There is no traffic yet" in (home.monitoring / PAGE).read_text()


def test_feedback_of_a_later_day_finds_its_answer(tmp_path):
    from preceptor.monitoring.windows import Log
    from preceptor.serving.traffic import Feedback

    answer = served("early", sex="male")
    given = Feedback("early", answer.at, answer.version, None, 0.5)
    later = MONDAY + timedelta(days=5)
    simulation.write(tmp_path, [Day(MONDAY, (answer,)), Day(later, (), ((given, None),))])
    assert Log(tmp_path).day(later).feedback == ((given, answer),)
