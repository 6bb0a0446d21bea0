"""The regression set: cases that must stay right, each with the least score that the fine-tuned model may get.

A JSONL file or a folder of them. A line is a case as `preceptor evaluate --cases` takes it, with `least`, or a reference to a
case of the test split, `{"example_id": …, "least": …}`, which holds no text. `least` is of the task's primary measure, in [0, 1].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor.errors import UsageError
from preceptor.evaluation.arms import may_be_asked_anew
from preceptor.evaluation.metrics import primary, score
from preceptor.evaluation.prompting import Question
from preceptor.records import Example
from preceptor.settings import resolve_path
from preceptor.versions import digest, file_sha256

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material


@dataclass(frozen=True, slots=True)
class Kept:
    """One case of the set; without `case` it is that of the test split with this id."""

    example_id: str
    least: float
    case: Example | None


def regression(material: Material) -> dict[str, Any] | None:
    """The probe: which cases of the set the fine-tuned model fails. None without a set or a fine-tuned model.

    A case that is no more in the test split, or stands in the training data, counts as failed: it shows nothing.
    """
    where = material.settings.regression_set
    if not where or "finetuned" not in material.models:
        return None
    kept = read_set(resolve_path(where))
    known = {p.case.example_id: p.primary for p in material.by_arm.get("finetuned", ())}
    own = [entry for entry in kept if entry.case is not None]
    if not may_be_asked_anew(material.models, "finetuned"):
        own = []  # and so they are missing, which fails: nobody approved sending them
    answers = material.ask("finetuned", [Question(entry.case.prompt) for entry in own if entry.case])
    for entry, answer in zip(own, answers, strict=True):
        assert entry.case is not None
        found = score(entry.case.task, entry.case.prompt, entry.case.answer, answer)
        known[entry.example_id] = float(found[primary(entry.case.task)] or 0.0)
    trained_on = {example.prompt for example in material.train}
    seen = [entry.example_id for entry in own if entry.case and entry.case.prompt in trained_on]
    missing = [entry.example_id for entry in kept if entry.example_id not in known]
    below = [e.example_id for e in kept if e.example_id in known and known[e.example_id] < e.least]
    failed = sorted({*below, *missing, *seen})
    return {
        "cases": [
            {"id": entry.example_id, "least": entry.least, "score": known.get(entry.example_id)}
            for entry in kept
        ],
        "failed": failed,
        "missing": missing,
        "seen_in_training": seen,
        "gate": {"failed": len(failed), "cases": len(kept)},
    }


def read_set(where: Path) -> list[Kept]:
    """Read the set. Raises `UsageError` naming file, line and what is wrong, never what stands there."""
    found: dict[str, Kept] = {}
    for path in _files(where):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            entry = _entry(line, f"{path}, line {number}", f"{path.stem}-{number:05d}")
            if entry.example_id in found:
                raise UsageError(f"{path}, line {number}: its example_id stands in an earlier line too.")
            found[entry.example_id] = entry
    if not found:
        raise UsageError(f"{where}: the regression set has no case.")
    return list(found.values())


def frozen(rows: Sequence[Mapping[str, Any]], slack: float) -> list[dict[str, Any]]:
    """The lines of a set from an evaluation's predictions: cases of the test split that the fine-tuned model gets right at least in
    part and not worse than the base model, each to stay within `slack` of its score. No text.
    """
    base = {row["example_id"]: row["primary"] for row in rows if row["arm"] == "base"}
    return [
        {"example_id": row["example_id"], "least": round(max(0.0, row["primary"] - slack), 4)}
        for row in rows
        if row["arm"] == "finetuned"
        and row["primary"] > 0
        and row["primary"] >= base.get(row["example_id"], 0)
    ]


def set_digest(where: str) -> str:
    """What stands for the set's content; "none" without one."""
    return digest([file_sha256(path) for path in _files(resolve_path(where))]) if where else "none"


def _files(where: Path) -> Sequence[Path]:
    if where.is_dir():
        return sorted(where.glob("*.jsonl"))
    if not where.is_file():
        raise UsageError(f"There is no regression set {where} (evaluation.regression_set).")
    return [where]


def _entry(line: str, at: str, name: str) -> Kept:
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        raise UsageError(f"{at}: this is not JSON.") from None
    least = row.pop("least", None) if isinstance(row, dict) else None
    if isinstance(least, bool) or not isinstance(least, int | float) or not 0 <= least <= 1:
        raise UsageError(f"{at}: an object with `least`, a score between 0 and 1, is expected.")
    if set(row) == {"example_id"}:
        return Kept(str(row["example_id"]), float(least), None)
    wanted = {field.name for field in fields(Example)}
    if not set(row) <= wanted or not all(
        str(row.get(key) or "").strip() for key in ("task", "prompt", "answer")
    ):
        raise UsageError(
            f"{at}: give example_id alone, or task, prompt and answer; only fields of an example are known."
        )
    row = {"example_id": name, "split": "test", "patient_ref": "", "specialty": "", **row}
    row |= {key: tuple(row.get(key, ())) for key in ("document_refs", "seeds")}
    return Kept(row["example_id"], float(least), Example(**row))
