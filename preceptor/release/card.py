"""The model card: what was recorded and measured about one version, and nothing else.

Its sections follow Mitchell et al. 2019 (Model Cards for Model Reporting, doi:10.1145/3287560.3287596). What
nobody recorded is said to be not recorded, never made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preceptor.release.registry import Tracking, VersionInfo, bundle_of, resolve
from preceptor.release.standing import Standing, standing, status
from preceptor.release.store import Store

_NOT_RECORDED = "not recorded"


def card_of(tracking: Tracking, store: Store, ref: str, required: int) -> str:
    """Return the card of a registered version as Markdown."""
    info = resolve(tracking, ref)
    return card(info, bundle_of(tracking, info), standing(store, info.ref), required)


def card(info: VersionInfo, bundle: Mapping[str, Any], stands: Standing, required: int) -> str:
    """Lay out a card from a version, the bundle it was registered with and the decisions about it."""
    evaluation = bundle["evaluation"]
    parts = [
        f"# Model card: {info.name}, version {info.version}",
        _facts(
            {
                "Status": status(stands, info, required),
                "Registered": info.created,
                "Digest": f"`{info.digest}`",
                "MLflow run": f"`{info.run_id}`",
            }
        ),
        "## What it is",
        _facts({"Base model": bundle["base_model"], "Recipe": bundle["recipe"]}),
        "## What it was made from",
        _facts({f"Data set: {stage}": f"`{version}`" for stage, version in sorted(info.data.items())})
        + f"\n\n`preceptor lineage {info.ref}` lists every document.",
        "## How it was measured",
        _facts(
            {
                "Evaluation": f"`{info.evaluation}`",
                "Held-out cases": evaluation.get("n_cases", _NOT_RECORDED),
            }
        ),
        _arms(evaluation.get("headline")),
        _comparisons(evaluation.get("comparisons")),
        "## What the gate required",
        _gate(bundle.get("gate")),
        "## Who decided",
        _decisions(stands),
        "## What these figures do not show",
        _limits(evaluation, bundle),
        "## To make it again",
        _facts({"Code": bundle["code"], "Lock file": bundle["lock"], "Seeds": bundle["seeds"]}),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(facts: Mapping[str, Any]) -> str:
    lines = []
    for label, value in facts.items():
        if isinstance(value, Mapping):
            lines.append(f"- {label}:")
            lines += [f"    - {key}: {_short(inner)}" for key, inner in sorted(value.items())]
        else:
            lines.append(f"- {label}: {_short(value)}")
    return "\n".join(lines) if lines else f"- {_NOT_RECORDED}"


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_short(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_short, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _number(value: Any, sign: str = "") -> str:
    return f"{value:{sign}.3f}" if isinstance(value, int | float) and not isinstance(value, bool) else "–"


def _interval(found: Mapping[str, Any], sign: str = "") -> str:
    return f"{_number(found.get('low'), sign)} to {_number(found.get('high'), sign)}"


def _arms(headline: Mapping[str, Any] | None) -> str:
    if not headline:
        return f"Scores: {_NOT_RECORDED}."
    rows = [
        f"| {arm} | {_number(found.get('mean'))} | {_interval(found)} |"
        for arm, found in headline.items()
        if isinstance(found, Mapping)
    ]
    head = "| Arm | Mean over tasks (0 to 1) | 95 % interval |\n|---|---|---|\n"
    return head + "\n".join(rows) if rows else f"Scores: {_short(headline)}."


def _comparisons(comparisons: Mapping[str, Any] | None) -> str:
    if not comparisons:
        return f"Comparisons with the alternatives: {_NOT_RECORDED}."
    head = "| Comparison, same cases | Difference | 95 % interval |\n|---|---|---|\n"
    rows = [
        f"| {name.replace('_', ' ')} | {_number(found.get('difference'), '+')} | {_interval(found, '+')} |"
        for name, found in comparisons.items()
    ]
    tasks = (comparisons.get("finetuned_vs_base") or {}).get("per_task") or {}
    by_task = "\n".join(f"- {task}: {_number(value, '+')}" for task, value in sorted(tasks.items()))
    return (
        head
        + "\n".join(rows)
        + (f"\n\nDifference to the base model by task:\n\n{by_task}" if by_task else "")
    )


def _gate(gate: Mapping[str, Any] | None) -> str:
    if not gate:
        return f"- {_NOT_RECORDED}"
    lines = [f"- {'met' if r['passed'] else '**not met**'}: {r['text']}" for r in gate["reasons"]]
    return "\n".join([f"The gate {'passed' if gate['passed'] else '**refused**'} it.", "", *lines])


def _decisions(stands: Standing) -> str:
    lines = [
        f"- approved by {e.actor} ({e.payload['role']}) on {e.at}, event {e.id}: {e.payload['reason']}"
        for e in stands.approvals
    ]
    for event, deed in ((stands.rejected, "rejected"), (stands.barred, "barred")):
        if event:
            lines.append(
                f"- {deed} by {event.actor} on {event.at}, event {event.id}: {event.payload['reason']}"
            )
    return "\n".join(lines) if lines else "- nobody yet"


def _limits(evaluation: Mapping[str, Any], bundle: Mapping[str, Any]) -> str:
    """Limits that follow from the recorded facts themselves, and those the evaluation named."""
    lines = [f"- {text}" for text in evaluation.get("limits", ())]
    uncertain = [
        name.replace("_", " ")
        for name, found in (evaluation.get("comparisons") or {}).items()
        if isinstance(found.get("low"), int | float)
        and isinstance(found.get("high"), int | float)
        and found["low"] <= 0 <= found["high"]
    ]
    if uncertain:
        lines.append(f"- The interval includes zero, so no difference is shown: {', '.join(uncertain)}.")
    if "synthetic" in bundle["data"]:
        lines.append("- A part of what it learnt from is synthetic (marked as such in the data).")
    lines.append(
        "- Only the tasks, documents and metrics above were measured; a clinician reads what it writes."
    )
    return "\n".join(lines)
