"""An answer's facts against those of its document and its reference: supported, hallucinated, omitted.

What neither the document nor the reference has is invented. What one of them has otherwise contradicts it, and is the worst:
a negation turned round, the other side, another dose, frequency or value, a relative's illness made the patient's. Whoever compares
looks for support first and leniently (near names, the same words in one sentence), so that a reported fact is worth reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from preceptor.evaluation.clinical.context import ABSENT, FAMILY, HISTORY, HYPOTHETICAL, POSSIBLE, PRESENT
from preceptor.evaluation.clinical.dialogue import ASKED
from preceptor.evaluation.clinical.extract import Fact, Facts, extract
from preceptor.evaluation.clinical.tokens import words

SUPPORTED, INVENTED, OVERSTATED = "supported", "invented", "overstated"
# What a contradiction turns round.
CONTRADICTIONS = ("negation", "side", "dose", "frequency", "value", "person")
_AFFIRMED, _OPEN = frozenset((PRESENT, POSSIBLE, HISTORY)), frozenset((ASKED, HYPOTHETICAL))
# Words that tell no problem from another ("diabetes", "diabetes mellitus"), and those that carry no meaning.
_GENERIC = frozenset(
    "disease syndrome disorder mellitus symptom chronic acute of the in and to with my a his her".split()
)
_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.4, "year": 365.0}


@dataclass(frozen=True, slots=True)
class Judged:
    """A fact of an answer with its verdict: SUPPORTED, INVENTED, OVERSTATED (a possibility told as certain), or one of
    CONTRADICTIONS."""

    fact: Fact
    verdict: str

    @property
    def contradicts(self) -> bool:
        """Whether document and reference say otherwise."""
        return self.verdict in CONTRADICTIONS


@dataclass(frozen=True)
class Comparison:
    """The facts of an answer, each once, with their verdicts; `wanted`: how many facts the reference has; `omitted`: those of
    them that the answer lacks or has otherwise."""

    judged: tuple[Judged, ...]
    omitted: tuple[Fact, ...]
    wanted: int

    @property
    def hallucinated(self) -> list[Judged]:
        """What is not supported, contradictions among it."""
        return [j for j in self.judged if j.verdict != SUPPORTED]

    @property
    def contradictions(self) -> list[Judged]:
        """What document and reference have otherwise."""
        return [j for j in self.judged if j.contradicts]

    @property
    def precision(self) -> float | None:
        """The share of the answer's facts that document or reference support; None if it states none."""
        return 1 - len(self.hallucinated) / len(self.judged) if self.judged else None

    @property
    def recall(self) -> float | None:
        """The share of the reference's facts that the answer has; None if the reference states none."""
        return 1 - len(self.omitted) / self.wanted if self.wanted else None


class Source:
    """What facts are held against: those of one text or of several."""

    def __init__(self, texts: Iterable[Facts]) -> None:
        self.texts = tuple(texts)
        self.facts: dict[str, list[Fact]] = {}
        for fact in (fact for facts in self.texts for fact in facts.found):
            self.facts.setdefault(fact.kind, []).append(fact)
        self.numbers = frozenset().union(*(facts.numbers for facts in self.texts))
        self.spoken = any(facts.spoken for facts in self.texts)
        self.loose = frozenset().union(*(facts.loose for facts in self.texts))

    @cached_property
    def sentences(self) -> list[frozenset[str]]:
        """The words of each sentence."""
        return [sentence for facts in self.texts for sentence in facts.sentences]

    def of(self, kind: str, name: str) -> list[Fact]:
        """The facts of a kind and name."""
        return [fact for fact in self.facts.get(kind, ()) if fact.name == name]

    def together(self, wanted: Iterable[str]) -> bool:
        """Whether some sentence has all of these words."""
        content = {word for word in wanted if word not in _GENERIC}
        return bool(content) and any(content <= sentence for sentence in self.sentences)


@lru_cache(maxsize=4096)
def compare(document: str, reference: str, answer: str) -> Comparison:
    """Compare the facts of an answer with its document's (the case's prompt) and its reference's."""
    in_reference, in_answer = extract(reference), extract(answer)
    source, ours = Source((extract(document), in_reference)), Source((in_answer,))
    stated, wanted = _stated(in_answer.found), _stated(in_reference.found)
    return Comparison(
        tuple(Judged(fact, judge(fact, answer, source)) for fact in stated),
        tuple(fact for fact in wanted if judge(fact, reference, ours) != SUPPORTED),
        len(wanted),
    )


def _stated(facts: Sequence[Fact]) -> list[Fact]:
    """Each fact once; a question or an "if" states nothing."""
    once = {
        fact.key: fact for fact in reversed(facts) if not (fact.kind == "problem" and fact.value in _OPEN)
    }
    return sorted(once.values(), key=lambda fact: (fact.start, fact.end))


def judge(fact: Fact, text: str, source: Source) -> str:
    """Return the verdict on a fact, which stands in `text`, by a source."""
    return _JUDGES[fact.kind](fact, words(text[fact.start : fact.end]), source)


def _problem(fact: Fact, said: Sequence[str], source: Source) -> str:
    related = [
        (relation, f.value) for f in source.facts.get("problem", ()) if (relation := _relation(fact, f))
    ]
    if not related:
        return SUPPORTED if source.together(said) else INVENTED
    values = {value for _, value in related}
    if values <= _OPEN or (source.spoken and ASKED in values):
        return SUPPORTED  # it is spoken of, and what was answered is not known
    if fact.value == ABSENT:
        if ABSENT in values:
            return SUPPORTED
        turned = any(value in _AFFIRMED and relation != "narrower" for relation, value in related)
        return "negation" if turned else INVENTED
    if fact.value == FAMILY:
        return SUPPORTED if FAMILY in values else _of_another(source) if values & _AFFIRMED else INVENTED
    if values & _AFFIRMED:
        return OVERSTATED if fact.value == PRESENT and values & _AFFIRMED == {POSSIBLE} else SUPPORTED
    if any(value == ABSENT and relation != "broader" for relation, value in related):
        return "negation"
    return _of_another(source) if FAMILY in values else INVENTED


def _of_another(source: Source) -> str:
    """The verdict where another person has the problem: in a conversation "he" may be anybody, and nothing is held against it."""
    return SUPPORTED if source.spoken else "person"


@lru_cache(maxsize=100_000)
def _content(name: str) -> frozenset[str]:
    return frozenset(words(name)) - _GENERIC


def _relation(fact: Fact, other: Fact) -> str:
    """How a problem relates to one of the source: `same`, `narrower`, `broader`, or empty if it is another one."""
    if fact.name == other.name:
        if fact.site == other.site:
            return "same"
        return "narrower" if not other.site else "broader" if not fact.site else ""
    one, two = _content(fact.name) | _content(fact.site), _content(other.name) | _content(other.site)
    if not one or not two or not (one <= two or two <= one):
        return ""
    return "same" if one == two else "broader" if one < two else "narrower"


def _drug(fact: Fact, said: Sequence[str], source: Source) -> str:
    ours = _content(fact.name)
    known = any(ours <= _content(f.name) or _content(f.name) <= ours for f in source.facts.get("drug", ()))
    return SUPPORTED if known or source.together(said) else INVENTED


def _dose(fact: Fact, said: Sequence[str], source: Source) -> str:
    amount, unit = fact.value.split()
    written = [f for f in source.of("dose", fact.name) if f.value.split()[1] == unit]
    equal = [f for f in written if f.value == fact.value]
    if equal:
        same = any(fact.often is None or f.often is None or abs(fact.often - f.often) < 1e-6 for f in equal)
        return SUPPORTED if same else "frequency"
    # said somewhere else than beside the drug, as in conversations
    elsewhere = float(amount) in source.loose and (source.spoken or not written)
    if elsewhere or any(f.value == fact.value for f in source.of("number", "")):
        return SUPPORTED
    return "dose" if written else INVENTED


def _number(fact: Fact, said: Sequence[str], source: Source) -> str:
    if not fact.name:
        return _with_unit(fact, source)
    written = source.of("number", fact.name)
    if any(_equal(fact, f) for f in written):
        return SUPPORTED
    parts = [float(part) for part in fact.value.split()[0].split("/")]
    if all(part in source.loose for part in parts) or (
        not written and all(part in source.numbers for part in parts)
    ):
        return SUPPORTED
    return "value" if written else INVENTED


def _equal(one: Fact, other: Fact) -> bool:
    if one.value == other.value or one.name != "temperature":
        return one.value == other.value
    return abs(_fahrenheit(float(one.value)) - _fahrenheit(float(other.value))) < 0.15


def _fahrenheit(value: float) -> float:
    return value * 1.8 + 32 if value < 45 else value  # no patient is 45 °C warm or 45 °F cold


def _with_unit(fact: Fact, source: Source) -> str:
    value, unit = fact.value.split()
    if float(value) in source.numbers or (value == "1" and source.together(["a", unit])):
        return SUPPORTED
    days = _DAYS.get(unit)
    if days:
        for other in (f.value.split() for f in source.of("number", "")):
            length = float(other[0]) * _DAYS.get(other[1], 0.0)
            if length and abs(length - float(value) * days) <= 0.05 * length:
                return SUPPORTED
    return INVENTED


def _side(fact: Fact, said: Sequence[str], source: Source) -> str:
    sides = {f.value for f in source.of("side", fact.name)}
    if fact.value in sides or "bilateral" in sides or {"left", "right"} <= sides:
        return SUPPORTED
    if sides and not (fact.value == "bilateral" and source.together([*words(fact.name), "both"])):
        return "side"
    of_problem = not any(fact.name in facts.sites for facts in source.texts)
    if of_problem and any(f.value in (fact.value, "bilateral") for f in source.facts.get("side", ())):
        return SUPPORTED  # "right-sided weakness" for "my right arm is weak"
    return SUPPORTED if source.together(said) or source.together([*words(fact.name), "both"]) else INVENTED


_JUDGES: dict[str, Callable[[Fact, Sequence[str], Source], str]] = {
    "problem": _problem, "drug": _drug, "dose": _dose, "number": _number, "side": _side,
}  # fmt: skip
