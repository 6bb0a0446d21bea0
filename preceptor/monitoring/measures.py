"""The measures of traffic: what each is called, how it is read, and what it can be compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from preceptor.monitoring.readings import (
    ANSWERED,
    WRITTEN,
    Read,
    categories,
    gap,
    kept_of,
    lengths,
    mean,
    ratings_of,
    share,
    slower,
    volume,
    words,
)
from preceptor.serving.traffic import Served


@dataclass(frozen=True, slots=True)
class Measure:
    """`unit` says how value and reference are shown: share, seconds, rating, index, requests, difference. `worse`: how a value
    follows from reference and score: the one plus, minus or times the other, or the score alone. `lasting`: the days of the champion
    before are a reference as good as its own, for the measure is of the cases, or of what a version must not do worse."""

    title: str
    unit: str
    read: Read
    worse: Literal["up", "down", "times", "score"] = "score"
    scope: str = "version"  # or service
    lasting: bool = False
    of_cases: bool = False  # measured on what was asked and written: the training data can be its reference


def _answered(r: Served) -> bool:
    return r.outcome in ANSWERED


def _written(r: Served) -> bool:
    return r.outcome in WRITTEN


def _version(title: str, unit: str, read: Read, worse: Literal["up", "down", "times"]) -> Measure:
    return Measure(title, unit, read, worse, lasting=True)


_CASES = ("task", "note_type", "specialty", "language")
_GROUPS = ("sex", "age_band", "language", "specialty")
# As preceptor.monitoring.rules names them, in the order in which they are told.
MEASURES: dict[str, Measure] = {
    "volume": Measure("Requests a day", "requests", volume, scope="service"),
    "turned_away": Measure("Turned away for lack of room", "share", share(
        lambda r: r.outcome == "shed", lambda r: r.outcome == "shed" or _answered(r)), "up", "service"),
    "errors": _version("Errors and time-outs", "share", share(lambda r: r.outcome in ("error", "timeout"), _answered), "up"),
    "leaks": _version("Answers with an identifier that the prompt does not have", "share", share(
        lambda r: bool(r.leak_hits), lambda r: _written(r) and r.leak_hits is not None), "up"),
    "kept": _version("Share of the draft kept", "share", mean(lambda day: [kept for _, kept in kept_of(day)]), "down"),
    "rating": _version("Rating by clinicians", "rating", mean(lambda day: [float(r) for _, r in ratings_of(day)]), "down"),
    "abstained": _version("Answers that decline", "share", share(
        lambda r: bool(r.abstained), lambda r: _written(r) and r.abstained is not None), "up"),
    "cut_off": _version("Cut off at the length limit", "share", share(lambda r: r.outcome == "length", _written), "up"),
    "disconnected": _version("Given up by the client", "share", share(lambda r: r.outcome == "disconnected", _answered), "up"),
    "slow": _version("Seconds, 95th percentile", "seconds", slower(lambda r: r.seconds), "times"),
    "slow_start": _version("Seconds to the first token, 95th percentile", "seconds", slower(lambda r: r.first_token_seconds), "times"),
    **{name: Measure(f"Cases: {name.replace('_', ' ')}", "index", categories(name), lasting=True, of_cases=name in ("task", "specialty"))
       for name in _CASES},
    "prompt_length": Measure("Length of prompts", "index", lengths("prompt_characters", _answered), lasting=True, of_cases=True),
    "prompt_words": Measure("Words of prompts", "index", words("prompt"), lasting=True, of_cases=True),
    "answer_length": Measure("Length of answers", "index", lengths("answer_characters", _written), of_cases=True),
    "answer_words": Measure("Words of answers", "index", words("answer"), of_cases=True),
    **{f"gap_{name}": Measure(f"Kept less for one {name.replace('_', ' ')}", "difference", gap(name)) for name in _GROUPS},
}  # fmt: skip
