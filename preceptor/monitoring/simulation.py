"""Traffic that might be: days of requests with the unevenness of real ones, and shifts of known size put into them.

For choosing thresholds and for knowing what they are worth: benchmarks/monitoring.py measures false alarms and delays with it.
Weekends have a third of the requests and another mix of cases; every day's mix, level of quality and speed wander about the
usual; words come in bursts. No text is made: words are bucket numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from preceptor.monitoring.windows import Day
from preceptor.private_files import make_private_folder
from preceptor.serving import traffic
from preceptor.serving.traffic import BUCKETS, Feedback, Served
from preceptor.vault.database import transaction

_CASES = {
    "task": {"summary": 0.5, "bh_note": 0.2, "coding_cardiology": 0.2, "coding_orthopaedics": 0.1},
    "note_type": {"discharge summary": 0.45, "progress note": 0.35, "consultation": 0.15, "other": 0.05},
    "specialty": {"cardiology": 0.35, "internal medicine": 0.3, "orthopaedics": 0.2, "neurology": 0.15},
    "language": {"en": 0.9, "es": 0.1},
    "sex": {"female": 0.52, "male": 0.48},
    "age_band": {"18-39": 0.2, "40-64": 0.35, "65-79": 0.3, "80+": 0.15},
}
_WEEKEND = 0.35
_EVENNESS = 300.0  # of a day's mix of cases: as if drawn from so many earlier cases
_BURST = 40.0  # of an answer's words: the smaller, the more a word that came comes again


@dataclass(frozen=True, slots=True)
class Truth:
    """What traffic is like in truth. A shift is this with other numbers from some day on."""

    volume: float = 200.0  # requests on a weekday
    errors: float = 0.005
    shed: float = 0.002
    cut_off: float = 0.04
    disconnected: float = 0.02
    abstained: float = 0.03
    leaks: float = 0.01  # share of answers
    seconds: float = 4.0  # the median; the spread is log-normal
    kept: float = 0.75
    feedback: float = 0.3  # share of answers that come back with a final text
    rating: float = 3.9
    longer_prompts: float = 0.0  # the logarithm of the factor
    longer_answers: float = 0.0
    other_cases: float = 0.0  # share of requests of a specialty that is rare now, with its words
    kept_less_for_women: float = 0.0


class Simulation:
    """Days of one version, from `first` on; the same seed and truths give the same days."""

    def __init__(self, seed: int, first: date, version: str = "preceptor/1") -> None:
        self._random = np.random.default_rng(seed)
        self._day, self._version = first, version
        words = 1 / np.arange(1, 3000) ** 1.05  # Zipf
        # The vocabularies are the same for every seed: days of two simulations can follow each other.
        buckets = np.random.default_rng(0).integers(0, BUCKETS, (3, len(words)))
        self._words = np.stack([np.bincount(b, words, BUCKETS) / words.sum() for b in buckets])
        self._made = 0

    def days(self, truth: Truth, count: int, *, version: str = "") -> Iterator[Day]:
        """The next `count` days."""
        self._version = version or self._version
        for _ in range(count):
            yield self._one(truth)
            self._day += timedelta(days=1)

    def _one(self, truth: Truth) -> Day:
        random, weekend = self._random, self._day.weekday() >= 5
        level = truth.volume * (_WEEKEND if weekend else 1) * np.exp(random.normal(0, 0.12))
        n = int(random.poisson(level))
        cases = {name: self._mix(name, n, weekend, truth.other_cases) for name in _CASES}
        speed, quality = random.normal(0, 0.05), random.normal(0, 0.01)
        seconds = truth.seconds * np.exp(random.normal(speed, 0.5, n))
        prompts = np.exp(random.normal(7.0 + truth.longer_prompts + random.normal(0, 0.03), 0.6, n)).astype(
            int
        )
        answers = np.exp(random.normal(6.0 + truth.longer_answers + random.normal(0, 0.03), 0.5, n)).astype(
            int
        )
        ends = [truth.errors, truth.disconnected, truth.shed]
        drawn = random.choice(4, n, p=[*ends, 1 - sum(ends)])
        cut, declines, leaky = (random.random(n) < p for p in (truth.cut_off, truth.abstained, truth.leaks))
        rows = []
        for i in range(n):
            self._made += 1
            outcome = ("error", "disconnected", "shed", "length" if cut[i] else "stop")[drawn[i]]
            turned_away, written = outcome == "shed", outcome in ("stop", "length")
            rows.append(
                Served(
                    request_id=f"simulated-{self._made}", at=self._at(i, n), endpoint="chat", role="served", pair_of="",
                    version="" if turned_away else self._version, alias="champion", key_id="", status=200, outcome=outcome,
                    stream=False, **{name: values[i] for name, values in cases.items()},
                    prompt_tokens=int(prompts[i]) // 4, new_tokens=int(answers[i]) // 4,
                    prompt_characters=int(prompts[i]), answer_characters=int(answers[i]) if written else 0, retrieved=0,
                    queue_seconds=0.0, first_token_seconds=round(float(seconds[i]) / 8, 3), seconds=round(float(seconds[i]), 3),
                    abstained=bool(declines[i]) if written else None, leak_hits=int(leaky[i]) if written else None,
                )
            )  # fmt: skip
        written_rows = [r for r in rows if r.outcome in ("stop", "length")]
        feedback = self._feedback(truth, written_rows, quality)
        other = random.binomial(n, truth.other_cases) if n else 0
        words = {
            "prompt": {self._version: self._bag(0, prompts // 6, other)},
            "answer": {self._version: self._bag(1, answers[: len(written_rows)] // 6, 0)},
        }
        return Day(self._day, tuple(rows), feedback, words)

    def _mix(self, name: str, n: int, weekend: bool, other: float) -> list[str]:
        names, usual = list(_CASES[name]), np.array(list(_CASES[name].values()))
        if weekend and name in ("specialty", "note_type", "task"):
            usual = usual**1.2 / (usual**1.2).sum()  # the usual things, more so
        share = self._random.dirichlet(usual * _EVENNESS)
        found = [names[i] for i in self._random.choice(len(names), n, p=share)]
        if name == "specialty" and other:
            found = ["oncology" if self._random.random() < other else v for v in found]
        return found

    def _bag(self, kind: int, lengths: np.ndarray, other: int) -> Counter[int]:
        """Words of texts of these lengths, the first `other` of them from another vocabulary."""
        usual = self._words[np.where(np.arange(len(lengths)) < other, 2, kind)]
        drawn = self._random.standard_gamma(
            usual * _BURST + 1e-3
        )  # a Dirichlet's, before they are divided by their sum
        total = self._random.poisson(lengths[:, None] * drawn / drawn.sum(axis=1, keepdims=True)).sum(axis=0)
        return Counter({bucket: int(count) for bucket, count in enumerate(total) if count})

    def _feedback(
        self, truth: Truth, rows: list[Served], quality: float
    ) -> tuple[tuple[Feedback, Served], ...]:
        found = []
        for row in rows:
            if self._random.random() >= truth.feedback:
                continue
            mean = truth.kept + quality - (truth.kept_less_for_women if row.sex == "female" else 0)
            mean = min(max(mean, 0.02), 0.98)
            kept = float(self._random.beta(mean * 4, (1 - mean) * 4))
            rating = int(np.clip(round(self._random.normal(truth.rating + 5 * quality, 0.9)), 1, 5))
            found.append((Feedback(row.request_id, row.at, row.version, rating, round(kept, 4)), row))
        return tuple(found)

    def _at(self, i: int, n: int) -> str:
        at = datetime(self._day.year, self._day.month, self._day.day, tzinfo=UTC)
        return (at + timedelta(seconds=86_399 * i / max(n, 1))).isoformat(timespec="milliseconds")


def write(folder: Path, days: Iterable[Day]) -> None:
    """Write days as the gateway's log would have them, for trying the monitor on."""
    make_private_folder(folder)
    for day in days:
        db = traffic.open_day(folder, day.date.isoformat())
        with closing(db), transaction(db):
            for table, rows in (
                ("requests", [astuple(r) for r in day.requests]),
                ("feedback", [astuple(f) for f, _ in day.feedback]),
                ("words", _word_rows(day)),
            ):
                if rows:
                    db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def _word_rows(day: Day) -> list[tuple[str, str, int, int]]:
    return [
        (version, side, bucket, count)
        for side, by_version in day.words.items()
        for version, found in by_version.items()
        for bucket, count in sorted(found.items())
    ]


def shifted(truth: Truth, **changes: float) -> Truth:
    """The same truth with some numbers changed."""
    return replace(truth, **changes)
