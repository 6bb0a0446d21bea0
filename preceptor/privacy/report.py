"""The risk report of a de-identified data set, for the privacy officer: figures and references, no text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from preceptor.deid.types import SAFE_HARBOR
from preceptor.privacy.reviews import Decision, decisions, process_of
from preceptor.release.chain import Event
from preceptor.release.store import Store
from preceptor.release.users import entitled
from preceptor.versions import DatasetVersion, write_atomic

SIGNED = "deid_signed"
MAY_SIGN = frozenset({"privacy", "admin"})
_TEMPLATE = Path(__file__).parent / "templates" / "risk.html.j2"
_CONFIDENCE = 0.95


def risk_report(
    version: DatasetVersion, decided: Sequence[Decision], signatures: Sequence[Event]
) -> dict[str, Any]:
    """Counts by type and layer, the miss rate that reviewers found, k-anonymity, what stays, who signed."""
    facts = version.facts
    policy, process = facts["policy"], process_of(version)
    sampled = [d for d in decided if d.reason == "sample" and d.process == process]
    looked_at = [d for d in decided if d.reason == "withheld"]
    stays = [
        {"letter": letter, "type": kind, "found": facts["by_type"].get(kind, 0), **said}
        for letter, entry in policy["letters"].items()
        for kind, said in entry["types"].items()
        if said["action"] != "replaced"
    ]
    return {
        "version": version.name,
        "stage": version.stage,
        "documents": facts["documents"],
        "withheld": facts["withheld"],
        "patients": facts["patients"],
        "identifiers": facts["spans"],
        "by_type": [
            {"type": kind, "letter": SAFE_HARBOR[kind], "found": n} for kind, n in facts["by_type"].items()
        ],
        "by_layer": facts["by_source"],
        "leak_check": {
            "by_rule": facts["leaks_by_rule"],
            "reviewed": len(looked_at),
            "false_alarms": sum(d.verdict == "clean" for d in looked_at),
        },
        "sample": {
            "documents": len(sampled),
            "with_a_miss": sum(d.verdict == "leak" for d in sampled),
            "missed": sum(d.missed for d in sampled),
            "share_of_documents_with_a_miss": interval(sum(d.verdict == "leak" for d in sampled), len(sampled)),
        },
        "anonymity": facts["anonymity"],
        "policy": policy,
        "stays": stays,
        "signatures": [
            {"by": e.actor, "role": e.payload["role"], "at": e.at, "reason": e.payload["reason"]}
            for e in signatures
        ],
    }  # fmt: skip


def interval(misses: int, of: int) -> dict[str, float | None]:
    """A share with its exact 95 % interval (Clopper and Pearson 1934); nothing is known from a sample of nothing."""
    if not of:
        return {"share": None, "low": None, "high": None}
    from scipy.stats import beta

    tail = (1 - _CONFIDENCE) / 2
    low = float(beta.ppf(tail, misses, of - misses + 1)) if misses else 0.0
    high = float(beta.ppf(1 - tail, misses + 1, of - misses)) if misses < of else 1.0
    return {"share": round(misses / of, 4), "low": round(low, 4), "high": round(high, 4)}


def sign(store: Store, version: DatasetVersion, *, as_user: str, password: str, reason: str) -> Event:
    """Sign a version under its policy, for instance that an expert has determined the risk; return the event.

    Raises `UsageError` without a reason, `GateRefused` if the role may not sign, `NotAuthenticated`.
    """
    signer = entitled(store, as_user, password, MAY_SIGN, "sign a data set", reason)
    payload = {
        "policy": version.facts["policy"]["policy"],
        "basis": version.facts["policy"]["basis"],
        "withheld": version.facts["withheld"],
        "role": signer.role,
        "reason": reason.strip(),
    }
    return store.append(SIGNED, subject(version), signer.name, payload, signer.sign)


def signatures(store: Store, version: DatasetVersion) -> list[Event]:
    """Who signed this version; all signatures hold. Raises `RecordBroken`."""
    store.require_intact()
    return store.events(subject=subject(version), kinds=(SIGNED,))


def subject(version: DatasetVersion) -> str:
    """What events call a version of a data set."""
    return f"{version.stage}/{version.name}"


def write_report(
    version: DatasetVersion, store: Store, batch: str, reports: Path
) -> tuple[Path, dict[str, Any]]:
    """Write `<stage>.html` and `.json` among the reports; return the path of the page, and the report."""
    report = risk_report(version, decisions(store, batch), signatures(store, version))
    reports.mkdir(parents=True, exist_ok=True)
    page = reports / f"{version.stage}.html"
    write_atomic(page.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
    write_atomic(page, render(report))
    return page, report


def render(report: dict[str, Any]) -> str:
    """The report as one HTML page without any reference to outside."""
    return _template().render(report=report)


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    return Environment(autoescape=True, undefined=StrictUndefined).from_string(_TEMPLATE.read_text())
