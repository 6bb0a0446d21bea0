"""The extractor keeps its precision and recall on the hand-labelled sample: docs/evaluation-facts.md has the figures."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("clinical_scoring", Path(__file__).parent / "scoring.py")
assert _SPEC and _SPEC.loader
scoring = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scoring)

# kind -> least precision, least recall
FLOORS = {
    "problem": (0.93, 0.97),
    "absent": (0.95, 0.97),
    "present": (0.9, 0.92),
    "drug": (0.95, 0.97),
    "dose": (0.95, 0.97),
    "number": (0.95, 0.92),
    "side": (0.95, 0.9),
}


@pytest.mark.parametrize("half", ["held-out", "development"])
def test_precision_and_recall_stay_above_their_floors(half):
    scores = scoring.score(half)
    short = {k: scores[k] for k, (p, r) in FLOORS.items() if scores[k][0] < p or scores[k][1] < r}
    assert not short


def test_the_sample_is_large_enough_and_half_of_it_held_out():
    assert len(scoring.labelled("held-out")) >= 30 and len(scoring.labelled("development")) >= 30
    assert sum(len(row["facts"]) for row in scoring.labelled("held-out")) >= 150


def test_a_missed_and_an_extra_fact_cost(monkeypatch):
    row = {
        "id": "x",
        "half": "x",
        "text": "Cough and fever.",
        "facts": ["problem|Cough|absent", "problem|and|present"],
    }
    monkeypatch.setattr(scoring, "labelled", lambda half: [row])
    assert scoring.score("x")["problem"] == (0.5, 0.5, 2)
    assert scoring.score("x")["absent"] == (1.0, 0.0, 1)
