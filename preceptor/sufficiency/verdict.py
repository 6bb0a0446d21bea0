"""Is there enough data? Per use case: effective examples, coverage, and, from a learning curve, what more would buy."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.curation.duplicates import near_duplicates
from preceptor.records import DeidentifiedDocument, Example
from preceptor.sufficiency.scaling import MIN_POINTS, ScalingLaw, fit

_ALIKE = 0.5  # Jaccard of 5-word runs: two such examples teach about as much as one
_THIN_CODE = 3  # training examples; a code with fewer is hardly learnt
_WORTH = 0.01  # of the loss: a doubling of the data that buys less is not worth its annotation


def sufficiency(
    examples: Sequence[Example],
    documents: Mapping[str, DeidentifiedDocument],
    points: Sequence[tuple[int, float]],
    min_effective: int,
    points_of: Mapping[str, Sequence[tuple[int, float]]] | None = None,
) -> dict[str, Any]:
    """What is there and what it is good for.

    `points`: (training examples, validation loss) of the recipe at growing fractions of all use cases together, `points_of` each by
    itself; may be empty. Returns `{tasks: {task: …, curve, verdict, advice}, curve}`; a verdict is `too few`, `enough`, `more
    would help` or `cannot tell`, by the use case's own curve.
    """
    law = fit(points)
    total = sum(e.split == "train" for e in examples)
    curve = _curve(law, points, total)
    by_task: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_task[example.task].append(example)
    tasks = {}
    for task, of in sorted(by_task.items()):
        facts = _task(of, documents)
        mine = (points_of or {}).get(task, ())
        own = _curve(fit(mine), mine, facts["train"])
        verdict, advice = _verdict(facts, own, min_effective)
        tasks[task] = {**facts, "curve": own, "verdict": verdict, "advice": advice}
    return {"tasks": tasks, "curve": curve}


def too_few(found: Mapping[str, Any]) -> list[str]:
    """The use cases of a verdict that have too few examples to train on."""
    return [task for task, facts in found["tasks"].items() if facts["verdict"] == "too few"]


def _task(examples: Sequence[Example], documents: Mapping[str, DeidentifiedDocument]) -> dict[str, Any]:
    train = [e for e in examples if e.split == "train"]
    test = [e for e in examples if e.split == "test"]
    repeats = near_duplicates([e.prompt + " " + e.answer for e in train], _ALIKE)
    kinds = {documents[e.document_refs[-1]].note_type for e in train}
    seen = [documents[e.document_refs[-1]].note_type in kinds for e in test]
    codes = Counter(code for e in train for code in documents[e.document_refs[-1]].labels.codes)
    wanted = [code for e in test for code in documents[e.document_refs[-1]].labels.codes]
    found: dict[str, Any] = {
        "train": len(train),
        "effective": sum(r is None for r in repeats),
        "patients": len({e.patient_ref for e in train}),
        "note_types": len(kinds),
        "test_note_types_seen": _share(seen),
    }
    if wanted and train and all(documents[e.document_refs[-1]].labels.codes for e in train):
        categories = {code[:3] for code in codes}
        found |= {
            "codes": len(codes),
            "test_codes_seen": _share([code in codes for code in wanted]),
            "test_categories_seen": _share([code[:3] in categories for code in wanted]),
            "thin_codes": sorted(code for code, n in codes.items() if n < _THIN_CODE),
        }
    return found


def _curve(law: ScalingLaw | None, points: Sequence[tuple[int, float]], now: int) -> dict[str, Any]:
    curve: dict[str, Any] = {"points": [list(p) for p in points]}
    if law is None:
        why = (
            "was not measured"
            if not points
            else f"has {len(points)} points, and {MIN_POINTS} sizes that a power law fits are needed"
        )
        return curve | {"fitted": False, "why": f"the learning curve {why}"}
    curve |= {"fitted": True, "floor": law.floor, "scale": law.scale, "exponent": law.exponent, "now": now}
    for times in (2, 4):
        gain, low, high = law.gain(now, times * now)
        curve[f"gain_x{times}"] = {"loss": gain, "low": low, "high": high, "share": gain / law.loss(now)}
    return curve


def _verdict(facts: Mapping[str, Any], curve: Mapping[str, Any], min_effective: int) -> tuple[str, str]:
    if facts["effective"] < min_effective:
        return (
            "too few",
            f"{facts['effective']} different examples, {min_effective} are asked for: start with a few-shot prompt or "
            "RAG, and collect more before tuning.",
        )
    thin = facts.get("thin_codes") or []
    help_ = (
        f" Synthetic rows may help the {len(thin)} codes with under {_THIN_CODE} examples." if thin else ""
    )
    if not curve["fitted"]:
        return "cannot tell", f"Nothing says what more data would buy: {curve['why']}.{help_}"
    twice = curve["gain_x2"]
    said = f"twice the data would lower the loss by {twice['loss']:.3f} ({twice['low']:.3f} to {twice['high']:.3f})"
    level = twice["loss"] / twice["share"] if twice["share"] else 0.0
    if twice["low"] <= 0 or twice["high"] > 10 * max(twice["low"], 1e-9):
        return "cannot tell", f"The curve is too uncertain: {said}.{help_}"
    if twice["high"] < _WORTH * level:
        return "enough", f"More of the same buys little: {said}.{help_}"
    return "more would help", f"By the curve, {said}.{help_}"


def _share(seen: Sequence[bool]) -> float | None:
    return round(sum(seen) / len(seen), 4) if seen else None
