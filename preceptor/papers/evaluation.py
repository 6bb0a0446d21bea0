"""The part of an evaluation's report that may be handed out: a list of what is taken, so that nothing else gets in.

Texts that somebody wrote (instructions, addresses of providers) and ids of cases stay behind; sentences that evaluation
itself made from its figures are taken. Groups of few patients are counted and not named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preceptor.papers.wording import SMALLEST, patients

_SETTINGS = (
    "bootstrap_samples", "seed", "relevant_difference", "max_new_tokens", "fewshot_examples", "rag_documents", "batch_size",
)  # fmt: skip
_ESTIMATE = ("mean", "low", "high", "cases")
_DIFFERENCE = (
    "arm", "against", "difference", "low", "high", "p", "p_holm", "cases", "family", "per_task",
    "per_task_intervals",
)  # fmt: skip


def handed_out(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a report.json that documents may use; what it lacks is absent or empty."""
    probes = report.get("probes") or {}
    given = report.get("settings") or {}
    verdict = report.get("verdict") or {}
    return {
        "code": report.get("evaluation"),
        "dataset": report.get("dataset"),
        "cases": report.get("cases"),
        **{
            k: report.get(k)
            for k in ("n_cases", "cases_by_task", "cases_by_provenance", "measures", "number_format")
        },
        "n_patients": patients(report.get("n_patients")),
        "settings": {k: given[k] for k in _SETTINGS if k in given},
        "regression_set": bool(given.get("regression_set")),
        "arms": {name: _arm(facts) for name, facts in (report.get("arms") or {}).items()},
        "comparisons": {
            name: {k: found[k] for k in _DIFFERENCE if k in found}
            | {"patients": patients(found.get("patients"))}
            for name, found in (report.get("comparisons") or {}).items()
        },
        "skipped": [entry["arm"] for entry in report.get("skipped") or ()],
        "numbers": {name: _numbers(facts.get("gate") or {}) for name, facts in probes.items()},
        "groups": _groups(probes.get("fairness") or {}),
        "verdict": verdict.get("headline"),
        "cautions": list(verdict.get("cautions") or ()),
    }


def _arm(facts: Mapping[str, Any]) -> dict[str, Any]:
    tasks = {
        task: {
            "primary": found.get("primary"),
            **_estimate(found),
            "metrics": {name: measure.get("mean") for name, measure in (found.get("metrics") or {}).items()},
        }
        for task, found in (facts.get("tasks") or {}).items()
    }
    headline = _estimate(facts.get("headline") or {})
    return {
        "label": facts.get("label"),
        "headline": headline,
        "tasks": tasks,
        "answers": facts.get("answers") or {},
    }


def _estimate(found: Mapping[str, Any]) -> dict[str, Any]:
    return {k: found.get(k) for k in _ESTIMATE} | {"patients": patients(found.get("patients"))}


def _numbers(gate: Mapping[str, Any]) -> dict[str, float]:
    return {k: v for k, v in gate.items() if isinstance(v, int | float) and not isinstance(v, bool)}


def _groups(fairness: Mapping[str, Any]) -> dict[str, Any]:
    """Groups of enough patients, and how many there are besides."""
    groups = fairness.get("groups") or ()
    large = [
        {**{k: row[k] for k in ("field", "group", "cases", "patients", "mean", "gap", "worse")}}
        for row in groups
        if row["patients"] >= SMALLEST
    ]
    return {
        "shown": large,
        "hidden": len(groups) - len(large),
        "concluded": sum(bool(row["gap"]) for row in groups),
    }
