from __future__ import annotations

import math

import numpy as np
import pytest

from preceptor.monitoring.measures import MEASURES
from preceptor.monitoring.readings import NO_REFERENCE, TOO_FEW
from preceptor.monitoring.rules import AlarmRules, Rule
from preceptor.monitoring.windows import Sample
from tests.monitoring.traffic.conftest import day_of, served

RULES = AlarmRules()


def read(name, window, reference=None, **changes):
    rule = getattr(RULES, name).model_copy(update=changes)
    return MEASURES[name].read(Sample(tuple(window)), Sample(tuple(reference)) if reference else None, rule)


def rows(n, prefix="r", **changes):
    return [served(f"{prefix}{i}", **changes) for i in range(n)]


def test_there_is_a_rule_for_every_measure_and_a_measure_for_every_rule():
    assert set(AlarmRules.model_fields) == set(MEASURES)


def test_errors_are_those_of_a_version_and_bounded_by_themselves():
    day = day_of(
        [
            *rows(45),
            *rows(5, "e", outcome="error"),
            *rows(9, "x", outcome="shed"),
            *rows(3, "d", outcome="disconnected"),
        ]
    )
    found = read("errors", [day])
    assert (found.n, found.value, found.score) == (53, 5 / 53, 5 / 53)
    assert found.chance < 1e-3
    assert read("errors", [day], minimum=54).missing == TOO_FEW


def test_a_share_is_held_against_the_reference_and_no_reference_is_said():
    reference = [day_of(rows(100, f"q{i}-") + rows(2, f"l{i}-", outcome="length")) for i in range(5)]
    same = [day_of(rows(98) + rows(2, "l", outcome="length"))]
    worse = [day_of(rows(80) + rows(20, "l", outcome="length"))]
    assert read("cut_off", same).missing == NO_REFERENCE
    assert abs(read("cut_off", same, reference).score) < 0.01
    found = read("cut_off", worse, reference)
    assert found.score == pytest.approx(0.2 - 10 / 510)
    assert found.chance < 1e-4


def test_leaks_count_answers_that_were_looked_at():
    day = day_of([*rows(150, leak_hits=0), *rows(50, "l", leak_hits=3), *rows(30, "u")])
    found = read("leaks", [day], relative=False)
    assert (found.n, found.value) == (200, 0.25)


def test_what_is_kept_drops_and_a_rise_is_no_alarm():
    random = np.random.default_rng(1)
    usual = [day_of(rows(60, f"d{i}-"), kept=random.normal(0.8, 0.1, 60)) for i in range(4)]
    worse = read("kept", [day_of(rows(60), kept=random.normal(0.6, 0.1, 60))], usual)
    better = read("kept", [day_of(rows(60), kept=random.normal(0.95, 0.02, 60))], usual)
    assert worse.score == pytest.approx(0.2, abs=0.05) and worse.chance < 1e-6
    assert better.score < 0 and better.chance > 0.99


def test_only_the_last_word_on_a_draft_counts():
    day = day_of(rows(40), kept=[0.1] * 40)
    again = day_of(rows(40), kept=[0.9] * 40)
    both = type(day)(day.date, day.requests, day.feedback + again.feedback)
    assert read("kept", [both]).value == pytest.approx(0.9)


def test_slower_is_a_longer_95th_percentile_and_chance_a_binomial_tail():
    def day(n, slow, seconds):
        return day_of(rows(n - slow, seconds=1.0) + rows(slow, "s", seconds=seconds))

    usual = [day(400, 24, 2.0)]
    found = read("slow", [day(100, 20, 3.0)], usual)
    assert (found.reference, found.value, found.score) == (2.0, 3.0, 0.5)
    above = 1 - sum(math.comb(100, k) * 0.05**k * 0.95 ** (100 - k) for k in range(20))
    assert above < found.chance < 1e-4  # 20 of 100 above 2.4 s, and the reference is no certainty either


def test_cases_that_change_are_found_and_what_was_not_said_is_no_case():
    usual = [
        day_of(rows(70, f"a{i}-", task="summary") + rows(30, f"b{i}-", task="bh_note")) for i in range(5)
    ]
    same = day_of(rows(70, task="summary") + rows(30, "b", task="bh_note") + rows(200, "n", task=""))
    other = day_of(rows(20, task="summary") + rows(80, "b", task="bh_note"))
    assert read("task", [same], usual).n == 100
    assert read("task", [same], usual).score == 0.0
    found = read("task", [other], usual)
    assert found.score > 0.25 and found.chance < 0.01


@pytest.mark.parametrize("name", list(MEASURES))
def test_days_without_a_request_and_requests_that_say_nothing_of_the_case_are_read(name):
    silent = [day_of([]), day_of(rows(3, task="", note_type="", specialty="", language=""))]
    assert read(name, silent).missing
    assert read(name, silent, silent).missing
    assert read(name, silent[:1], silent[:1]).missing


def test_volume_counts_doublings_over_weeks():
    month = [day_of(rows(20, f"m{i}-")) for i in range(14)]
    found = read("volume", [day_of(rows(5, f"w{i}-")) for i in range(7)], month)
    assert found.score == pytest.approx(math.log2(20.5 / 5.5))
    assert found.chance == 0.0  # the days before were all alike
    assert read("volume", [day_of([]) for _ in range(7)], month).score > 5  # silence is a change, too


def test_a_gap_names_its_group_and_small_groups_count_for_nothing():
    random = np.random.default_rng(2)

    def group(sex, n, mean):
        made = rows(n, sex, sex=sex)
        return [(r, float(k)) for r, k in zip(made, random.normal(mean, 0.1, n), strict=True)]

    pairs = [*group("female", 60, 0.5), *group("male", 60, 0.8), *group("unsaid", 5, 0.0)]
    day = day_of([r for r, _ in pairs], kept=[k for _, k in pairs])
    found = read("gap_sex", [day])
    assert (found.detail, found.n) == ("female", 60)
    assert found.score == pytest.approx(0.3, abs=0.05) and found.chance < 1e-6
    assert read("gap_sex", [day], minimum=61).missing == TOO_FEW


def test_rules_are_changed_key_by_key_and_cannot_flap():
    assert AlarmRules(kept={"limit": 0.2}).kept == RULES.kept.model_copy(update={"limit": 0.2})
    assert AlarmRules(kept=None).kept is None
    with pytest.raises(ValueError, match="flap"):
        AlarmRules(kept={"clear": 0.1})
    with pytest.raises(ValueError, match="share"):
        AlarmRules(kept={"relative": False})
    assert AlarmRules(leaks={"relative": False}).leaks.relative is False
    with pytest.raises(ValueError):
        AlarmRules(speed={"limit": 1})
    with pytest.raises(ValueError):
        Rule(limit=1, clear=0.5, minimum=0)
