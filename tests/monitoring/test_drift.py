from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from preceptor.monitoring.drift import binned, psi, quantile_bins
from preceptor.monitoring.stage import REPORT, triggers
from preceptor.settings import MonitoringSettings

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_psi_agrees_with_the_formula():
    was, now = ["a"] * 80 + ["b"] * 20, ["a"] * 50 + ["b"] * 50
    p, q = (80.5 / 101, 20.5 / 101), (50.5 / 101, 50.5 / 101)
    assert psi(was, now) == pytest.approx(
        sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True)), abs=1e-4
    )


def test_equal_shares_give_zero_and_a_new_category_a_large_value():
    assert psi(["a", "b"] * 30, ["a", "b"] * 3) == 0
    assert psi(["a"] * 100, ["b"] * 100) > 1


def test_quantile_bins_cut_into_equal_shares():
    edges = quantile_bins(list(range(100)))
    assert [binned(range(100), edges).count(i) for i in range(5)] == [20] * 5


def report(tmp_path, **changes):
    facts = {
        "reference": "preceptor/1",
        "promoted_at": (NOW - timedelta(days=10)).isoformat(),
        "new_documents": 0,
        "psi": {"length": 0.4, "specialty": 0.1},
        "drifted": False,
    }
    (tmp_path / REPORT).write_text(json.dumps(facts | changes))
    return triggers(tmp_path, MonitoringSettings(), NOW)


def test_nothing_triggers_without_a_cause(tmp_path):
    assert triggers(tmp_path, MonitoringSettings(), NOW) == {}
    assert report(tmp_path) == {}
    assert report(tmp_path, reference=None, drifted=True) == {}


def test_each_cause_triggers_and_says_why(tmp_path):
    assert "length" in report(tmp_path, drifted=True)["drift"]
    assert "50 documents" in report(tmp_path, new_documents=50)["new-data"]
    assert "200 days" in report(tmp_path, promoted_at=(NOW - timedelta(days=200)).isoformat())["expired"]
