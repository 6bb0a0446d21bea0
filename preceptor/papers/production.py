"""What production recorded of a version: answers and feedback in numbers, and the drift of new documents."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from typing import Any

from preceptor.monitoring.stage import REPORT
from preceptor.serving import traffic
from preceptor.settings import Workspace


def production(workspace: Workspace, ref: str) -> dict[str, Any]:
    """Return `{"traffic": …, "feedback": …, "drift": …}`, each None where nothing was recorded of the version."""
    return {
        "traffic": _traffic(workspace, ref),
        "feedback": _feedback(workspace, ref),
        "drift": _drift(workspace, ref),
    }


def _traffic(workspace: Workspace, ref: str) -> dict[str, Any] | None:
    roles: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    seconds: list[float] = []
    days: list[str] = []
    abstained = looked_at = 0
    leaks: int | None = None
    for row in traffic.requests(workspace.serving / "traffic"):
        if row.version != ref:
            continue
        roles[row.role] += 1
        outcomes[row.outcome] += 1
        seconds.append(row.seconds)
        days.append(row.at[:10])
        if row.abstained is not None:
            looked_at += 1
            abstained += row.abstained
        if row.leak_hits is not None:
            leaks = (leaks or 0) + row.leak_hits
    if not days:
        return None
    return {
        "answers": sum(roles.values()),
        "roles": dict(sorted(roles.items())),
        "outcomes": dict(sorted(outcomes.items())),
        "first": min(days),
        "last": max(days),
        "median_seconds": round(statistics.median(seconds), 2),
        "abstained": abstained if looked_at else None,
        "leak_hits": leaks,
    }


def _feedback(workspace: Workspace, ref: str) -> dict[str, Any] | None:
    rows = [row for row in traffic.feedback(workspace.serving / "traffic") if row.version == ref]
    if not rows:
        return None
    ratings = [row.rating for row in rows if row.rating is not None]
    kept = [row.kept for row in rows if row.kept is not None]
    return {
        "entries": len(rows),
        "ratings": len(ratings),
        "mean_rating": round(statistics.mean(ratings), 2) if ratings else None,
        "kept": len(kept),
        "mean_kept": round(statistics.mean(kept), 3) if kept else None,
    }


def _drift(workspace: Workspace, ref: str) -> dict[str, Any] | None:
    path = workspace.monitoring / REPORT
    if not path.exists():
        return None
    report = json.loads(path.read_text(encoding="utf-8"))
    if report["reference"] != ref:
        return None
    return {
        k: report[k]
        for k in ("measured_at", "reference_documents", "new_documents", "psi", "limit", "drifted")
    }
