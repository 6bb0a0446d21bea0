"""How well spans agree with annotated ones, by character, token and entity.

An annotated span counts as found when every letter and digit of it is covered. A bare YEAR may stay under Safe
Harbor: spans on it are neither right nor wrong. Precision by character counts letters and digits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.deid.tokens import tokenize
from preceptor.deid.types import DIRECT
from preceptor.errors import UsageError


def score(gold: Sequence[Mapping[str, Any]], pred: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Compare rows `{note_id, text, spans, style?, group?}` with rows `{note_id, spans}`.

    Raises `UsageError` for a prediction on a note that is not annotated or beyond its text.
    """
    said: dict[str, list[tuple[int, int]]] = {}
    known = {row["note_id"]: len(row["text"]) for row in gold}
    for row in pred:
        if row["note_id"] not in known:
            raise UsageError(f"There is a prediction for note {row['note_id']!r}, which the gold file lacks.")
        said[row["note_id"]] = [(int(s["start"]), int(s["end"])) for s in row["spans"]]
        if any(not 0 <= a <= b <= known[row["note_id"]] for a, b in said[row["note_id"]]):
            raise UsageError(f"A predicted span of note {row['note_id']!r} lies outside its text.")
    entity: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    chars, tokens = [0, 0, 0], [0, 0, 0]
    misses, leaking = [], 0
    for row in gold:
        text, spans = row["text"], said.get(row["note_id"], [])
        covered, label = bytearray(len(text)), bytearray(len(text))
        for a, b in spans:
            covered[a:b] = b"\1" * (b - a)
        leak = False
        for s in row["spans"]:
            a, b = s["start"], s["end"]
            label[a:b] = (b"\2" if s["type"] == "YEAR" else b"\1") * (b - a)
            if s["type"] == "YEAR":
                continue
            hit = all(covered[i] for i in range(a, b) if text[i].isalnum())
            for key in (
                ("overall", ""),
                ("type", s["type"]),
                ("style", row.get("style", "")),
                ("group", row.get("group", "")),
            ):
                entity[key][0] += hit
                entity[key][1] += 1
            if s["type"] in DIRECT:
                entity["direct", ""][0] += hit
                entity["direct", ""][1] += 1
                leak |= not hit
            if not hit:
                misses.append({"note_id": row["note_id"], "start": a, "end": b, "type": s["type"]})
        leaking += leak
        for i, c in enumerate(text):
            if c.isalnum():
                _count(chars, covered[i], label[i])
        for t in tokenize(text):
            if t.text[0].isalnum():
                _count(tokens, max(covered[t.start : t.end]), max(label[t.start : t.end]))
    out: dict[str, Any] = {
        "entity_recall": _share(entity["overall", ""]),
        "direct_recall": _share(entity["direct", ""]),
    }
    for name, counts in (("char", chars), ("token", tokens)):
        out.update({f"{name}_{key}": value for key, value in _rates(counts).items()})
    out["notes_with_leak"] = f"{leaking}/{len(gold)}"
    for part in ("type", "style", "group"):
        out[f"per_{part}"] = {k: [_share(v), v[1]] for (p, k), v in sorted(entity.items()) if p == part and k}
    return out | {"misses": misses}


def _count(counts: list[int], covered: int, label: int) -> None:
    if label != 2:
        counts[0] += bool(covered and label)
        counts[1] += bool(covered and not label)
        counts[2] += bool(label and not covered)


def _share(pair: list[int]) -> float:
    return round(pair[0] / max(1, pair[1]), 4)


def _rates(counts: list[int]) -> dict[str, float]:
    right, extra, missed = counts
    p, r = right / max(1, right + extra), right / max(1, right + missed)
    return {"precision": round(p, 4), "recall": round(r, 4), "f1": round(2 * p * r / max(1e-9, p + r), 4)}
