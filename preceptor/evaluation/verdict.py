"""What an evaluation shows, in sentences a clinician can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN = 0.05  # corrected p below which a difference counts as shown
FEW_PATIENTS = 20  # below this, intervals rest on the bootstrap's small-sample correction more than on data


def verdict(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"headline", "sentences", "cautions"}` from the facts of a report."""
    candidate = [c for c in report["comparisons"].values() if c["family"] == "candidate"]
    return {
        "headline": _headline(report, candidate),
        "sentences": [sentence(report, c) for c in (candidate or report["comparisons"].values())],
        "follows": _follows(report),
        "cautions": _cautions(report),
    }


def _follows(report: Mapping[str, Any]) -> str:
    """What the gates make of it: the last of the verdict's sentences."""
    gate = report.get("gate")
    if gate is None:
        return "No gate decided on it: this evaluation by itself lets no model into use."
    failed = [reason["rule"] for reason in gate["reasons"] if not reason["passed"]]
    if failed:
        return (
            f"It may not become a candidate: {len(failed)} of {len(gate['reasons'])} rules of the gates refuse it "
            f"({', '.join(failed)})."
        )
    return f"All {len(gate['reasons'])} rules of the gates hold: it may wait for a person's approval as candidate."


def outcome(comparison: Mapping[str, Any]) -> str:
    """`better`, `worse`, or `open` if the difference is not shown."""
    if comparison["p_holm"] >= SHOWN:
        return "open"
    return "better" if comparison["difference"] > 0 else "worse"


def _name(report: Mapping[str, Any], arm: str) -> str:
    label = report["arms"][arm]["label"]
    return f"the {label[0].lower()}{label[1:]}"


def _headline(report: Mapping[str, Any], candidate: list[Mapping[str, Any]]) -> str:
    if "finetuned" not in report["arms"]:
        return "No fine-tuned model was evaluated: these figures say what the base model does without it."
    if not candidate:
        return "The fine-tuned model was evaluated alone: nothing can be said of better or worse."
    groups: dict[str, list[str]] = {"better": [], "worse": [], "open": []}
    for comparison in candidate:
        groups[outcome(comparison)].append(_name(report, comparison["against"]))
    parts = []
    if groups["better"]:
        parts.append(f"is better than {_listed(groups['better'])}")
    if groups["worse"]:
        parts.append(f"is worse than {_listed(groups['worse'])}")
    if groups["open"]:
        parts.append(f"is not shown to differ from {_listed(groups['open'])}")
    return f"On these {report['n_cases']} cases the fine-tuned model {_listed(parts)}."


def sentence(report: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    """Say one comparison: by how much, how sure."""
    ours, theirs = _name(report, comparison["arm"]), _name(report, comparison["against"])
    size, low, high = (100 * comparison[key] for key in ("difference", "low", "high"))
    interval = f"95 % interval {low:+.1f} to {high:+.1f}"
    ours = ours[0].upper() + ours[1:]
    found = outcome(comparison)
    if found == "open":
        return (
            f"{ours} against {theirs}: {size:+.1f} points of 100 ({interval}). That could be chance "
            f"(p = {_p(comparison)}): neither a gain nor a loss is shown.{_needed(comparison)}"
        )
    word = "more" if found == "better" else "fewer"
    return (
        f"{ours} scores {abs(size):.1f} points of 100 {word} than {theirs} ({interval}; "
        f"p = {_p(comparison)} after correction for all comparisons)."
    )


def _needed(comparison: Mapping[str, Any]) -> str:
    """How many patients would show the least difference that matters; nothing where that cannot be said."""
    plan = comparison.get("planning") or {}
    if plan.get("detectable") is None:
        return ""
    needed = plan["patients_needed"]
    many = f"about {needed:,}" if needed is not None else "more than a million"
    return (
        f" A difference of {100 * plan['relevant']:.1f} points would be seen with 80 % power in {many} patients like these; "
        f"the {plan['patients']} here let one of {100 * plan['detectable']:.1f} be seen."
    )


def _p(comparison: Mapping[str, Any]) -> str:
    p = comparison["p_holm"]
    return f"{p:.3f}" if p >= 0.001 else "less than 0.001"


def _cautions(report: Mapping[str, Any]) -> list[str]:
    said = []
    if report["n_patients"] < FEW_PATIENTS:
        said.append(
            f"The cases come from only {report['n_patients']} patients. The intervals allow for that, but a few other "
            "patients could change the picture: take this as a first impression, not as proof."
        )
    small = {task: n for task, n in report["cases_by_task"].items() if n < 10}
    if small:
        listed = ", ".join(f"{task} ({n})" for task, n in small.items())
        said.append(
            f"Fewer than ten cases for {listed}: the figures of these tasks by themselves mean little."
        )
    for facts in report["arms"].values():
        answers, total = facts["answers"], report["n_cases"]
        if answers["cut_at_limit"] > total / 4:
            said.append(
                f"{facts['label']}: {answers['cut_at_limit']} of {total} answers were cut at the limit of "
                f"{report['settings']['max_new_tokens']} tokens."
            )
        if answers["prompts_cut"]:
            said.append(
                f"{facts['label']}: {answers['prompts_cut']} of {total} documents lost their middle to fit."
            )
    return said


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
