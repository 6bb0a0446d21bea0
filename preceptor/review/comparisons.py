"""Blinded comparisons of two arms of an evaluation on the same cases.

Which answer stands first is drawn for each reviewer and case, and the arms' names stay hidden until the comparison is
closed. A share of the cases is judged by two people; these come first, so that their agreement is known early.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from preceptor.errors import GateRefused, UsageError
from preceptor.evaluation.statistics import macro_mean
from preceptor.review.agreement import krippendorff_alpha
from preceptor.review.database import reading, writing

CRITERIA = ("accuracy", "completeness", "safety", "style")
_CLAIM_SECONDS = 24 * 3600.0  # a case that somebody opened and did not judge goes to others after that


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two arms of an evaluation, and until when they were judged."""

    id: str
    evaluation: str
    first: str
    second: str
    closed_at: str | None


def make(
    path: Path, evaluation: str, arms: tuple[str, str], case_ids: Sequence[str], overlap: float, made_by: str
) -> str:
    """Put cases before reviewers and return the comparison's id; `overlap` is the share that two people judge."""
    if len(set(arms)) != 2 or not case_ids:
        raise UsageError("A comparison needs two different arms and at least one case.")
    name = secrets.token_hex(6)
    drawn = sorted(case_ids, key=lambda case: hashlib.sha256(f"{name} {case}".encode()).digest())
    twice = set(drawn[: round(overlap * len(drawn))])
    with writing(path) as db:
        db.execute(
            "INSERT INTO comparisons VALUES (?, ?, ?, ?, ?, ?, NULL)",
            (name, evaluation, *arms, made_by, _now()),
        )
        db.executemany(
            "INSERT INTO cases VALUES (?, ?, ?)", [(name, c, 2 if c in twice else 1) for c in drawn]
        )
    return name


def all_of(path: Path) -> list[Comparison]:
    """Every comparison, the newest first."""
    with reading(path) as db:
        rows = db.execute(
            "SELECT id, evaluation, first, second, closed_at FROM comparisons ORDER BY made_at DESC"
        ).fetchall()
    return [Comparison(*row) for row in rows]


def find(path: Path, name: str) -> Comparison:
    """One comparison. Raises `UsageError` if there is none."""
    for one in all_of(path):
        if one.id == name:
            return one
    raise UsageError("There is no such comparison.")


def progress(path: Path, name: str, reviewer: str) -> dict[str, int]:
    """`done` of the `wanted` judgements, `mine` of them, and the `cases`."""
    with reading(path) as db:
        cases, wanted = db.execute(
            "SELECT count(*), coalesce(sum(wanted), 0) FROM cases WHERE comparison = ?", (name,)
        ).fetchone()
        done, mine = db.execute(
            "SELECT count(*), coalesce(sum(reviewer = ?), 0) FROM judgements WHERE comparison = ? AND undone_at IS NULL",
            (reviewer, name),
        ).fetchone()
    return {"cases": cases, "wanted": wanted, "done": done, "mine": mine}


def next_case(path: Path, name: str, reviewer: str) -> str | None:
    """Claim the next case for a reviewer: the one left open, else any that still wants somebody; None if none does."""
    with writing(path) as db:
        _require_open(db, name)
        judged: dict[str, set[str]] = defaultdict(set)
        for case, who in db.execute(
            "SELECT case_id, reviewer FROM judgements WHERE comparison = ? AND undone_at IS NULL", (name,)
        ):
            judged[case].add(who)
        taken: dict[str, set[str]] = defaultdict(set)
        for case, who in db.execute(
            "SELECT case_id, reviewer FROM claims WHERE comparison = ? AND abs(at - ?) < ?",
            (name, time.time(), _CLAIM_SECONDS),  # one of the future is of a clock that was wrong
        ):
            taken[case].add(who)
        rows = db.execute("SELECT case_id, wanted FROM cases WHERE comparison = ?", (name,)).fetchall()
        by_rank: dict[tuple[bool, int], list[str]] = defaultdict(list)
        for case, wanted in rows:
            if reviewer not in judged[case] and len((judged[case] | taken[case]) - {reviewer}) < wanted:
                by_rank[reviewer not in taken[case], -wanted].append(case)
        if not by_rank:
            return None
        chosen = secrets.choice(by_rank[min(by_rank)])
        db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)", (name, chosen, reviewer, time.time()))
    return chosen


def swapped(key: bytes, name: str, case: str, reviewer: str) -> bool:
    """Whether this reviewer sees the second arm's answer of this case first."""
    return bool(_mac(key, name, case, reviewer)[0] & 1)


def judge(
    path: Path,
    key: bytes,
    name: str,
    case: str,
    reviewer: str,
    preference: str,
    left: Mapping[str, int],
    right: Mapping[str, int],
) -> None:
    """Keep a judgement: `preference` is left, right or tie; 1 to 5 for every criterion. The same again changes nothing.

    Raises `UsageError` for what is incomplete, `GateRefused` for a case that is not the reviewer's, or one judged otherwise.
    """
    whole = all(set(r) == set(CRITERIA) and all(v in range(1, 6) for v in r.values()) for r in (left, right))
    if preference not in ("left", "right", "tie") or not whole:
        raise UsageError("Rate both answers on every line from 1 to 5, and say which you prefer.")
    sign = {"left": 1, "tie": 0, "right": -1}[preference]
    if swapped(key, name, case, reviewer):
        sign, left, right = -sign, right, left
    ratings = json.dumps({"first": dict(left), "second": dict(right)}, sort_keys=True)
    with writing(path) as db:
        _require_open(db, name)
        claimed = db.execute(
            "SELECT 1 FROM claims WHERE comparison = ? AND case_id = ? AND reviewer = ?",
            (name, case, reviewer),
        ).fetchone()
        if not claimed:
            raise GateRefused("This case was not given to you; take the next one from the queue.")
        before = db.execute(
            "SELECT preference, ratings FROM judgements "
            "WHERE comparison = ? AND case_id = ? AND reviewer = ? AND undone_at IS NULL",
            (name, case, reviewer),
        ).fetchone()
        if before:
            if before != (sign, ratings):
                raise GateRefused("You have judged this case already; undo that first.")
            return
        db.execute(
            "INSERT INTO judgements (comparison, case_id, reviewer, at, preference, ratings) VALUES (?, ?, ?, ?, ?, ?)",
            (name, case, reviewer, _now(), sign, ratings),
        )


def undo(path: Path, name: str, reviewer: str) -> str | None:
    """Take back one's own last judgement and return its case, which comes next again; the row stays, marked."""
    with writing(path) as db:
        _require_open(db, name)
        row = db.execute(
            "SELECT id, case_id FROM judgements WHERE comparison = ? AND reviewer = ? AND undone_at IS NULL "
            "ORDER BY id DESC LIMIT 1",
            (name, reviewer),
        ).fetchone()
        if row is None:
            return None
        db.execute("UPDATE judgements SET undone_at = ? WHERE id = ?", (_now(), row[0]))
        db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)", (name, row[1], reviewer, time.time()))
    return row[1]


def close(path: Path, name: str) -> None:
    """End judging; only then the arms have names."""
    with writing(path) as db:
        db.execute("UPDATE comparisons SET closed_at = coalesce(closed_at, ?) WHERE id = ?", (_now(), name))


def results(path: Path, name: str, patients: Mapping[str, str]) -> dict[str, Any]:
    """What came of a comparison: win rate of the first arm (a tie is half), means by criterion, alpha.

    `patients` maps a case to its patient: intervals draw patients, so that a case judged twice, or a patient with two
    cases, counts once.
    """
    with reading(path) as db:
        rows = db.execute(
            "SELECT case_id, reviewer, preference, ratings FROM judgements WHERE comparison = ? AND undone_at IS NULL",
            (name,),
        ).fetchall()
    by_case: dict[str, list[tuple[int, dict[str, dict[str, int]]]]] = defaultdict(list)
    for case, _, preference, ratings in rows:
        by_case[case].append((preference, json.loads(ratings)))
    if not by_case:
        return {"judgements": 0, "cases": 0}
    cases = sorted(by_case)
    shares = [sum((p + 1) / 2 for p, _ in by_case[c]) / len(by_case[c]) for c in cases]
    people = [patients.get(c) or c for c in cases]
    won = macro_mean(shares, ["all"] * len(cases), people, samples=2000, seed=20)
    units = {
        criterion: [[r[arm][criterion] for _, r in by_case[c]] for c in cases for arm in ("first", "second")]
        for criterion in CRITERIA
    }
    return {
        "judgements": len(rows),
        "cases": len(cases),
        "reviewers": len({row[1] for row in rows}),
        "judged_twice": sum(len(found) > 1 for found in by_case.values()),
        "wins": sum(row[2] > 0 for row in rows),
        "ties": sum(row[2] == 0 for row in rows),
        "losses": sum(row[2] < 0 for row in rows),
        "win_rate": {"mean": won.mean, "low": won.low, "high": won.high},
        "ratings": {
            criterion: {
                arm: sum(json.loads(row[3])[arm][criterion] for row in rows) / len(rows)
                for arm in ("first", "second")
            }
            for criterion in CRITERIA
        },
        "alpha": {
            "preference": krippendorff_alpha([[p for p, _ in by_case[c]] for c in cases], "ordinal"),
            **{criterion: krippendorff_alpha(units[criterion], "ordinal") for criterion in CRITERIA},
        },
    }


def _require_open(db: Any, name: str) -> None:
    row = db.execute("SELECT closed_at FROM comparisons WHERE id = ?", (name,)).fetchone()
    if row is None:
        raise UsageError("There is no such comparison.")
    if row[0]:
        raise GateRefused("This comparison is closed; nothing was changed.")


def _mac(key: bytes, *parts: str) -> bytes:
    return hmac.digest(key, json.dumps(parts).encode(), "sha256")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
