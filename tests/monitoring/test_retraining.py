"""Causes and policy: pure functions, so that every rule is held against its edge, and against drawn facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from preceptor.monitoring.causes import CAUSES, Facts, History, Seen, reasons
from preceptor.monitoring.retraining import decide, is_open, next_opening, required_gain
from preceptor.settings import MonitoringSettings, RetrainingSettings, RetrainingWindow

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)  # a Wednesday
POLICY = MonitoringSettings()
YOUNG = Facts("preceptor/1", promoted_at=NOW - timedelta(days=10), champion_base="tiny")


def facts(**seen) -> Facts:
    more = {k: seen.pop(k) for k in ("tried", "tried_at", "history", "promoted_at") if k in seen}
    words = {
        "drift": "length has a stability index of 0.4 (limit 0.25)" if seen.get("drifted") else "",
        "alarms": tuple(f"alarm {one}" for one in seen.get("alarms", ())),
        "erased": "preceptor/1: a patient has been erased" if seen.get("erasure") else "",
    }
    return replace(YOUNG, seen=Seen(**seen), **words, **more)


def causes(given: Facts, **policy) -> list[str]:
    return [reason.cause for reason in reasons(given, POLICY.model_copy(update=policy), NOW)]


def test_nothing_calls_for_a_retraining_of_what_is_as_it_was():
    assert causes(YOUNG) == []
    found = decide(YOUNG, POLICY, NOW)
    assert (found.start, found.withheld_by) == (False, "no-cause")
    assert "10 of 180 days" in found.why and "0 of 50 new documents" in found.why


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (facts(promoted_at=NOW - timedelta(days=181)), "calendar"),
        (facts(due="2026-07-01T03:00:00+00:00"), "calendar"),
        (facts(documents=50, reviewed=10), "new-data"),
        (facts(drifted=True, documents=20), "drift"),
        (facts(alarms=("preceptor/1 kept 2026-06-20",)), "quality"),
        (facts(erasure="abc"), "erasure"),
        (facts(base="larger"), "base-model"),
    ],
)
def test_each_cause_calls_for_it_and_is_off_where_it_is_not_enabled(given, cause):
    assert causes(given) == [cause]
    others = RetrainingSettings(causes=tuple(name for name in CAUSES if name != cause))
    assert causes(given, retraining=others) == []


@pytest.mark.parametrize(
    "given",
    [
        facts(promoted_at=NOW - timedelta(days=180)),
        facts(due="2026-06-20T03:00:00+00:00"),  # the champion is younger than that
        facts(documents=50, reviewed=9),
        facts(documents=49, reviewed=99),
        replace(facts(documents=500, reviewed=99, drifted=True, erasure="a", base="b"), champion=None),
    ],
)
def test_below_its_edge_or_without_a_champion_there_is_no_cause(given):
    assert causes(given) == []


@pytest.mark.parametrize(
    ("seen", "further"),
    [
        ({"documents": 60, "reviewed": 12}, {"documents": 110, "reviewed": 22}),
        ({"documents": 25, "drifted": True}, {"documents": 45, "drifted": True}),
        ({"alarms": ("a",)}, {"alarms": ("a", "b")}),
        ({"erasure": "one"}, {"erasure": "two"}),
        ({"base": "larger"}, {"base": "largest"}),
        ({"due": "2026-06-30T03:00:00+00:00"}, {"due": "2026-07-01T03:00:00+00:00"}),
    ],
)
def test_what_a_retraining_has_answered_to_calls_for_none_again_until_more_comes(seen, further):
    assert len(causes(facts(**seen))) == 1
    answered = {"tried": Seen(**seen), "tried_at": NOW - timedelta(days=1)}
    assert causes(facts(**seen, **answered)) == []
    assert len(causes(facts(**further, **answered))) == 1


def test_of_several_alarms_the_new_one_is_told():
    tried = Seen(alarms=("a",))
    (reason,) = reasons(facts(alarms=("a", "b"), tried=tried, tried_at=NOW), POLICY, NOW)
    assert (reason.text, reason.occasion) == ("alarm b", "b")


def withheld(history: History, now: datetime = NOW, given: Facts | None = None, **policy) -> str:
    """The rule that withholds a retraining for drift, by the policy with these changes."""
    given = given or facts(drifted=True, documents=30)
    wanted = POLICY.model_copy(update={"retraining": RetrainingSettings(**policy)})
    found = decide(replace(given, history=history), wanted, now)
    assert found.start == (not found.withheld_by)
    return found.withheld_by


def test_each_rule_withholds_up_to_its_edge():
    ended = NOW - timedelta(days=7)
    assert withheld(History(running="run 1 is at work")) == "one-at-a-time"
    assert withheld(History(last_end=ended)) == ""
    assert withheld(History(last_end=ended + timedelta(seconds=1))) == "cool-down"
    assert withheld(History(last_end=ended, fruitless=True)) == "cool-down"
    assert withheld(History(last_end=NOW - timedelta(days=30), fruitless=True)) == ""
    assert withheld(History(failed_at=NOW - timedelta(hours=5))) == "after-failure"
    assert withheld(History(failed_at=NOW - timedelta(hours=6))) == ""
    assert withheld(History(runs_this_month=4)) == "budget"
    assert withheld(History(runs_this_month=3)) == ""
    assert withheld(History(runs_this_month=99), runs_per_month=None) == ""
    assert withheld(History(minutes_this_month=600), minutes_per_month=600) == "budget"
    assert withheld(History(minutes_this_month=599), minutes_per_month=600) == ""


def test_what_a_clock_ten_years_ahead_wrote_withholds_nothing_and_a_day_ahead_does():
    """A clock that was set back by a day must not cut a cool-down short; one that was years ahead would make it last as long."""
    ahead, tomorrow = NOW + timedelta(days=3650), NOW + timedelta(days=1)
    assert withheld(History(last_end=ahead)) == withheld(History(failed_at=ahead)) == ""
    assert withheld(History(last_end=tomorrow)) == "cool-down"
    assert withheld(History(failed_at=tomorrow)) == "after-failure"


def test_a_shorter_wait_after_nothing_better_does_not_shorten_the_cool_down():
    lately = History(last_end=NOW - timedelta(days=2), fruitless=True)
    assert withheld(lately, cooldown_days=7, fruitless_cooldown_days=1) == "cool-down"


def test_erasure_does_not_wait_for_the_cool_down_but_for_everything_else():
    erased = facts(erasure="abc")
    lately = NOW - timedelta(hours=1)
    assert withheld(History(last_end=lately, fruitless=True), given=erased) == ""
    assert withheld(History(running="x", last_end=lately), given=erased) == "one-at-a-time"
    assert withheld(History(failed_at=lately), given=erased) == "after-failure"
    assert withheld(History(runs_this_month=4), given=erased) == "budget"
    shut = (RetrainingWindow(from_hour=0, to_hour=1),)
    assert withheld(History(), given=erased, windows=shut) == "window"


def test_windows_are_hours_of_utc_and_go_over_midnight_from_the_day_that_is_named():
    nights = (RetrainingWindow(days=("fri", "sat"), from_hour=22, to_hour=6),)

    def at(day: int, hour: int) -> bool:  # 2026-07-03 is a Friday
        return is_open(nights, datetime(2026, 7, day, hour, 30, tzinfo=UTC))

    assert [at(3, 21), at(3, 22), at(4, 5), at(4, 6), at(4, 23), at(5, 5), at(5, 22), at(6, 3)] == [
        False, True, True, False, True, True, False, False,
    ]  # fmt: skip
    elsewhere = datetime.fromisoformat("2026-07-03T18:30:00-04:00")  # 22:30 in UTC
    assert is_open(nights, elsewhere)
    assert next_opening(nights, NOW) == datetime(2026, 7, 3, 22, tzinfo=UTC)
    assert next_opening((), NOW) == NOW


@pytest.mark.parametrize("wrong", [{"from_hour": 3, "to_hour": 3}, {"days": ()}, {"days": ("someday",)}])
def test_a_window_that_never_opens_is_refused(wrong):
    with pytest.raises(ValidationError):
        RetrainingWindow(**wrong)


def test_after_an_erasure_the_gates_alone_decide():
    asked = RetrainingSettings(min_gain_over_champion=0.01)
    assert required_gain(asked, ["drift", "new-data"]) == 0.01
    assert required_gain(asked, ["drift", "erasure"]) is None


# drawn facts

# The machine may be busy with something else; drawing is what takes the time.
patiently = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

times = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
seen = st.builds(
    Seen,
    documents=st.integers(0, 120),
    reviewed=st.integers(0, 40),
    drifted=st.booleans(),
    alarms=st.lists(st.sampled_from("abc"), unique=True).map(tuple),
    erasure=st.sampled_from(["", "x", "y"]),
    base=st.sampled_from(["", "larger"]),
    due=st.sampled_from(["", "2026-03-01T03:00:00+00:00", "2026-08-01T03:00:00+00:00"]),
)
histories = st.builds(
    History,
    running=st.sampled_from(["", "", "run 1 is at work"]),
    last_end=st.none() | times,
    fruitless=st.booleans(),
    failed_at=st.none() | times,
    runs_this_month=st.integers(0, 6),
    minutes_this_month=st.floats(0, 2000),
)
windows = st.lists(
    st.builds(
        RetrainingWindow,
        days=st.lists(st.sampled_from(["mon", "wed", "sun"]), min_size=1, unique=True).map(tuple),
        from_hour=st.integers(0, 11),
        to_hour=st.integers(12, 24),
    )
    | st.builds(RetrainingWindow, from_hour=st.integers(13, 23), to_hour=st.integers(1, 12)),
    max_size=2,
).map(tuple)
policies = st.builds(
    RetrainingSettings,
    causes=st.lists(st.sampled_from(sorted(CAUSES)), unique=True).map(tuple),
    windows=windows,
    cooldown_days=st.floats(0, 40),
    fruitless_cooldown_days=st.floats(0, 80),
    retry_hours=st.floats(0, 48),
    runs_per_month=st.none() | st.integers(0, 6),
    minutes_per_month=st.none() | st.floats(0, 2000),
).map(lambda retraining: MonitoringSettings(retraining=retraining))


@st.composite
def drawn(draw) -> Facts:
    new = draw(seen)
    return replace(
        YOUNG,
        champion=draw(st.sampled_from([None, "preceptor/1"])),
        promoted_at=draw(times),
        seen=new,
        tried=draw(seen),
        tried_at=draw(st.none() | times),
        drift="drift" if new.drifted else "",
        alarms=new.alarms,
        erased="erased" if new.erasure else "",
        history=draw(histories),
    )


@patiently
@given(drawn(), policies, times)
def test_what_starts_has_a_cause_and_breaks_no_rule(given, policy, now):
    found = decide(given, policy, now)
    rules, history = policy.retraining, given.history
    assert found.why
    assert found.start == (found.withheld_by == "")
    assert set(found.names) <= set(rules.causes)
    if not found.start:
        return
    assert found.causes and given.champion and not history.running and is_open(rules.windows, now)
    assert rules.runs_per_month is None or history.runs_this_month < rules.runs_per_month
    assert rules.minutes_per_month is None or history.minutes_this_month < rules.minutes_per_month
    if history.last_end and "erasure" not in found.names:
        assert now >= history.last_end + timedelta(days=rules.cooldown_days)
        if history.fruitless:
            assert now >= history.last_end + timedelta(days=rules.fruitless_cooldown_days)
    if history.failed_at:
        assert now >= history.failed_at + timedelta(hours=rules.retry_hours)


@patiently
@given(drawn(), policies, times)
def test_a_retraining_answers_to_all_that_it_has_seen(given, policy, now):
    """What was started for is no cause once it was tried: the same facts never start twice, whatever they are."""
    answered = replace(given, tried=given.seen, tried_at=now, history=History())
    policy = policy.model_copy(update={"new_documents": 1})
    assert decide(answered, policy, now).causes == ()


@patiently
@given(drawn(), policies, times, histories)
def test_the_occasion_does_not_change_with_what_withholds_it(given, policy, now, other):
    one, two = decide(given, policy, now), decide(replace(given, history=other), policy, now)
    assert one.key(given.champion) == two.key(given.champion)


@patiently
@given(windows, times)
def test_the_next_opening_is_open_and_none_before_it_is(windows, now):
    at = next_opening(windows, now)
    assert at >= now - timedelta(hours=1) and is_open(windows, at)
    hours = int((at - now).total_seconds() // 3600)
    assert not any(is_open(windows, now + timedelta(hours=n)) for n in range(hours))
