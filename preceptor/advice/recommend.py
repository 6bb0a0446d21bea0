"""Which model for stated needs: hard constraints first, then points for published evidence, cost and speed.

Points are at most 100. Evidence: how much of the way from guessing to all correct a model goes on MedQA, MedMCQA and PubMedQA,
the mean of those that were published of it as it comes. Cost: all for the cheapest that is in, none for what costs a thousand
times as much, by the logarithm between. Speed: half the latency that is asked for, divided by its own seconds an answer, at
most 1. What is not known has no points, and that is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from preceptor.advice import checks
from preceptor.advice.checks import Check, dollars
from preceptor.advice.hardware import LONGEST, Home, at_home, serves, smallest, trains, tuning
from preceptor.advice.needs import CPU, Needs
from preceptor.advice.running import electricity_month, rented, service_month, signing
from preceptor.models import Apis, CatalogueEntry, Licence, Score
from preceptor.planning import Prices
from preceptor.planning.report import plan_line

# What guessing has: one of four options; always yes, which is right for 55.2 % of PubMedQA (Jin et al. 2019).
_GUESSED = {"MedQA": 25.0, "MedMCQA": 25.0, "PubMedQA": 55.2}
# Exams say most of what is like an exam. Of 12 models trained on medicine, 11 did worse than their base on six clinical tasks, ICD-10
# coding among them (Dada et al. 2024, arXiv:2404.04067v5).
_WEIGHTS = {True: (60.0, 20.0, 20.0), False: (40.0, 30.0, 30.0)}
_TENFOLDS = 3  # dearer than the cheapest by so many: no points for cost
_USUAL = 30.0  # seconds for an answer, where none are asked for
_CLOSE = 5.0  # points: nearer than that nobody should choose by points


@dataclass(frozen=True, slots=True)
class Judged:
    """A model against the needs. `checks` holds what decided; `month` in US dollars and `seconds` of an answer are None where
    they are not known. `points` of evidence, cost and speed are None likewise."""

    name: str
    kind: Literal["weights", "service"]
    place: str
    checks: tuple[Check, ...]
    cautions: tuple[str, ...]
    evidence: float | None
    month: float | None
    seconds: float | None
    points: dict[str, float | None] = field(default_factory=dict)

    @property
    def suits(self) -> bool:
        """Whether nothing keeps it out."""
        return not any(checks.refused(self.checks))

    @property
    def score(self) -> float:
        """The sum of the points that are known."""
        return sum(value or 0.0 for value in self.points.values())


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`ranked` suit, the best first; `out` do not, those with the fewest reasons first. `changes`: what would change the
    answer."""

    ranked: tuple[Judged, ...]
    out: tuple[Judged, ...]
    changes: tuple[str, ...]


def recommend(
    catalogue: dict[str, CatalogueEntry],
    licences: dict[str, Licence],
    apis: Apis,
    prices: Prices,
    needs: Needs,
) -> Recommendation:
    """Judge every model of the catalogue, and every service."""
    judged = [_weights(name, entry, licences, prices, needs) for name, entry in catalogue.items()]
    judged += [_service(name, apis, prices, needs) for name in apis.models]
    suits = _pointed([one for one in judged if one.suits], needs)
    out = _pointed([one for one in judged if not one.suits], needs)
    ranked = sorted(suits, key=lambda one: (-one.score, one.month or 0.0, one.name))
    others = sorted(
        out, key=lambda one: (sum(1 for _ in checks.refused(one.checks)), -(one.evidence or 0), one.name)
    )
    return Recommendation(tuple(ranked), tuple(others), tuple(_changes(ranked, others, needs)))


def evidence(scores: Iterable[Score]) -> float | None:
    """The mean share of the way from guessing to all correct, 0 to 1; None without a score of the three benchmarks that was
    had without tuning on them."""
    ways = [
        max(0.0, (score.value - _GUESSED[score.benchmark]) / (100 - _GUESSED[score.benchmark]))
        for score in scores
        if score.benchmark in _GUESSED and not score.tuned
    ]
    return sum(ways) / len(ways) if ways else None


def _weights(
    name: str, entry: CatalogueEntry, licences: dict[str, Licence], prices: Prices, needs: Needs
) -> Judged:
    found = [checks.licence(entry, licences, needs)]
    found += [
        checks.languages(entry.languages, entry.more_languages, needs),
        checks.context(entry.context, needs),
    ]
    cautions = _told(entry, licences, needs)
    place, month, seconds = "", None, None
    if entry.architecture is None:
        wanted = "its architecture in recipes/base-models.yaml"
        found.append(Check("hardware", False, "What it is built of is not told in the catalogue.", wanted))
    elif needs.deployment == "cloud-baa":
        place, month, seconds, more = _hired(entry, prices, needs)
        found += more
    else:
        place, month, seconds, more = _owned(entry, prices, needs)
        if needs.deployment == "hybrid" and any(checks.refused(more)):
            hired = _hired(entry, prices, needs)
            if not any(checks.refused(hired[3])):
                place, month, seconds, more = hired
        found += more
    return Judged(
        name, "weights", place, tuple(found), tuple(cautions), evidence(entry.scores), month, seconds
    )


def _owned(
    entry: CatalogueEntry, prices: Prices, needs: Needs
) -> tuple[str, float | None, float | None, list[Check]]:
    assert entry.architecture is not None
    home = at_home(entry.architecture, prices, needs)
    where = f"{needs.gpus} x {needs.gpu}" if needs.gpu else "the CPU"
    found = _tuned(home, where, needs)
    how = home.answers
    change = ""
    if not (trains(home.tuned, needs) and serves(how, needs)):
        enough = smallest(entry.architecture, prices, needs)
        change = f"{enough}, the least that does" if enough else "more than 8 GPUs, or --deployment cloud-baa"
    if how is None:
        found.append(Check("serving", False, f"It is too large for {where}, in 4 bits, too.", change))
    else:
        bits = "4 bits" if how.quantised else "16 bits"
        said = f"In {bits} an answer takes {how.seconds:,.1f} s, {needs.load.at_once} at a time; "
        said += f"{how.capacity:,.0f} answers a month at most."
        found.append(Check("serving", serves(how, needs), said, change))
    found = [
        replace(check, change=check.change or change) if check.passed is False else check for check in found
    ]
    watts = (prices.gpus[needs.gpu] if needs.gpu else CPU).watts * (needs.gpus if needs.gpu else 1)
    month = electricity_month(watts, prices, needs.load.hours)
    found.append(checks.budget(month, needs, "electricity (the machine is there)"))
    return where, month, how.seconds if how else None, found


def _tuned(home: Home, where: str, needs: Needs) -> list[Check]:
    if not needs.tunes:
        said = f"{needs.examples} examples are too few to tune with ({needs.min_examples} at least): not asked for."
        return [Check("tuning", True, said)]
    if home.tuned is None:
        return [
            Check(
                "tuning", False, f"It cannot be tuned on {where}{', with QLoRA either' if needs.gpu else ''}."
            )
        ]
    sized = home.tuned
    said = f"{plan_line(sized.plan, sized.gpu)}: {sized.hours:,.1f} h{', barely' if sized.tight else ''}."
    if sized.hours > LONGEST:
        return [Check("tuning", False, f"{said} More than a week is none that is repeated.")]
    return [Check("tuning", True, said)]


def _hired(
    entry: CatalogueEntry, prices: Prices, needs: Needs
) -> tuple[str, float | None, float | None, list[Check]]:
    assert entry.architecture is not None
    found = []
    if needs.tunes:
        sized = tuning(entry.architecture, prices, needs, None, 8, hire=True)
        if sized is None:
            said = "No machine for hire under a BAA tunes it with LoRA or QLoRA."
            found.append(Check("tuning", False, said, "a smaller model"))
        else:
            said = f"{plan_line(sized.plan, sized.gpu)}: {sized.hours:,.1f} h, {dollars(sized.cost or 0)}."
            found.append(Check("tuning", True, said))
    rent = rented(entry.architecture, prices, needs.load, signing(prices), latency=needs.latency)
    if rent is None:
        found.append(
            Check("serving", False, "No priced machine for hire under a BAA holds it.", "a smaller model")
        )
        return "", None, None, found
    what = f"{rent.sets} x {rent.rental.instance.provider} {rent.rental.instance.name}"
    said = f"An answer takes {rent.answering.seconds:,.1f} s on {what}, {needs.load.at_once} at a time."
    soon = needs.latency is None or rent.answering.seconds <= needs.latency
    found.append(
        Check("serving", soon, said, "" if soon else f"{rent.answering.seconds:,.1f} s for an answer")
    )
    found.append(checks.budget(rent.month, needs, f"{what}, {needs.load.hours:,.0f} h"))
    return what, rent.month, rent.answering.seconds, found


def _service(name: str, apis: Apis, prices: Prices, needs: Needs) -> Judged:
    model = apis.models[name]
    found = [checks.languages(model.languages, False, needs), checks.context(model.context, needs)]
    cautions = ["It cannot be fine-tuned by Preceptor, only prompted, with retrieval or without."]
    offers = [(who, apis.providers[who]) for who in model.providers]
    signs = [who for who, provider in offers if provider.baa]
    if needs.deployment == "on-premises":
        found.append(
            Check(
                "deployment",
                False,
                "It is a service: prompts leave the house.",
                "--deployment cloud-baa or hybrid",
            )
        )
    elif signs:
        titles = ", ".join(apis.providers[who].title for who in signs)
        found.append(Check("deployment", True, f"A BAA is to be had from {titles}."))
        cautions += [
            f"{apis.providers[who].title}: its BAA was not read where it is published; ask."
            for who in signs
            if not apis.providers[who].certain
        ]
    else:
        said = "Nobody who offers it is known to sign a BAA."
        found.append(Check("deployment", False, said, "a signed BAA, put into recipes/api-models.yaml"))
    asked = signs or list(model.providers)
    months = [
        (month, price)
        for price in prices.api
        if price.model == name
        and price.provider in asked
        and (month := service_month(price, needs.load)) is not None
    ]
    month, price = min(months, key=lambda pair: pair[0], default=(None, None))
    what = f"{needs.load.answers:,.0f} answers" + (
        f" by {apis.providers[price.provider].title}" if price else ""
    )
    found.append(checks.budget(month, needs, what))
    if price and not price.certain:
        cautions.append(f"Its price is of {price.as_of} and not certain.")
    if needs.latency is not None:
        found.append(Check("latency", None, "How soon it answers is not known here: measure it."))
    place = apis.providers[price.provider].title if price else apis.providers[asked[0]].title
    return Judged(name, "service", place, tuple(found), tuple(cautions), evidence(model.scores), month, None)


def _told(entry: CatalogueEntry, licences: dict[str, Licence], needs: Needs) -> list[str]:
    said = [entry.advisory] if entry.advisory else []
    known = licences.get(entry.licence)
    if known and not known.open:
        said += [f"{entry.licence}: {clause}" for clause in known.clauses]
    if not entry.instruct:
        said.append("It was not trained to follow instructions: it has to be tuned before it is of use.")
    if entry.gated:
        said.append("The hub wants its terms accepted first, by somebody with an account there.")
    if entry.medical and not needs.exam_like:
        said.append(
            "Training on medicine has seldom helped with such tasks (arXiv:2404.04067v5): compare it with its base."
        )
    told = {score.benchmark for score in entry.scores if not score.tuned}
    if told and (missing := sorted(set(_GUESSED) - told)):
        said.append(f"No score on {', '.join(missing)} was found: its points are of the others.")
    sources = [entry.card, known, *entry.scores]
    if any(source is None or not source.certain for source in sources):
        said.append("Not all that is told of it here was read at its source.")
    return said


def _pointed(judged: Sequence[Judged], needs: Needs) -> list[Judged]:
    least = min((one.month for one in judged if one.month), default=None)
    shares = _WEIGHTS[needs.exam_like]
    wanted = (needs.latency or _USUAL) / 2
    pointed = []
    for one in judged:
        cost = None
        if one.month is not None and least is not None:
            cost = max(0.0, 1 - math.log10(max(one.month, least) / least) / _TENFOLDS)
        speed = None if one.seconds is None else min(1.0, wanted / one.seconds)
        points = zip(("evidence", "cost", "speed"), (one.evidence, cost, speed), shares, strict=True)
        pointed.append(
            replace(
                one,
                points={k: None if value is None else round(most * value, 1) for k, value, most in points},
            )
        )
    return pointed


def _changes(ranked: Sequence[Judged], out: Sequence[Judged], needs: Needs) -> list[str]:
    if not ranked:
        said = ["Nothing in the catalogue suits; the nearest:"]
        nearest = out[:3]
    else:
        said = []
        if len(ranked) > 1 and ranked[0].score - ranked[1].score < _CLOSE:
            close = [one.name for one in ranked[1:] if ranked[0].score - one.score < _CLOSE]
            said.append(
                f"Within {_CLOSE:.0f} points of {ranked[0].name}: {', '.join(close[:4])}{' and others' if len(close) > 4 else ''}. "
                f"Choose by `preceptor evaluate` on your own cases, not by these points."
            )
        best = ranked[0].evidence or 0.0
        nearest = [one for one in out if (one.evidence or 0.0) > best][:3]
    for one in nearest:
        wants = dict.fromkeys(check.change for check in checks.refused(one.checks) if check.change)
        if wants:
            said.append(f"{one.name} would be in with {', and '.join(wants)}.")
    if ranked and ranked[0].evidence is None:
        said.append(f"No published score of {ranked[0].name} was found: an evaluation of your own decides.")
    unknown = [one.name for one in ranked if one.evidence is None and one is not ranked[0]]
    if unknown:
        said.append(
            f"{len(unknown)} others have no published score here ({', '.join(unknown[:4])}{' …' if len(unknown) > 4 else ''}): "
            "they may be better than their places."
        )
    if needs.deployment != "cloud-baa" and needs.gpu is None:
        said.append(
            f"The server is assumed to have {CPU.memory_mib / 1024:.0f} GiB free, {CPU.bf16_tflops} TFLOPS and "
            f"{CPU.bandwidth_gb_s:.0f} GB/s: measure a short run, or say what GPU there is."
        )
    if needs.examples is None:
        said.append("With --examples N the training is reckoned with your number and not with 1,000.")
    return said


def document(found: Recommendation, needs: Needs) -> dict[str, Any]:
    """All of it as one JSON-able document."""
    return {
        "needs": asdict(needs),
        "ranked": [_row(one) for one in found.ranked],
        "out": [_row(one) for one in found.out],
        "changes": list(found.changes),
    }


def _row(one: Judged) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "in": one.suits,
        "place": one.place,
        "score": round(one.score, 1),
        "points": one.points,
        "per_month": one.month,
        "seconds": one.seconds,
        "why": [check.said for check in one.checks if check.passed],
        "unknown": [check.said for check in one.checks if check.passed is None],
        "why_not": [
            {"rule": check.rule, "said": check.said, "change": check.change or None}
            for check in checks.refused(one.checks)
        ],
        "cautions": list(one.cautions),
    }
