"""The clinical facts that a text states, found by lexicons and rules: no model of the language takes part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from preceptor.evaluation.clinical import context, dialogue, lexicon
from preceptor.evaluation.clinical.laterality import lateral
from preceptor.evaluation.clinical.lexicon import Match
from preceptor.evaluation.clinical.measures import measures
from preceptor.evaluation.clinical.medication import doses
from preceptor.evaluation.clinical.quantities import Quantity, quantities
from preceptor.evaluation.clinical.tokens import Token, tokenise

KINDS = ("problem", "drug", "dose", "number", "side")
_HEADING = re.compile(r"^[ \t]*(?:[#*]+[ \t]*)?([A-Za-z][A-Za-z /&-]{1,40}?)[ \t]*\**[ \t]*:", re.M)
_FAMILY, _PAST = (
    re.compile(r"\bfamily\b|\bf\.?h\.?x?\b", re.I),
    re.compile(r"\bpast\b|\bpmhx?\b|\bmedical history\b|\bpsh\b", re.I),
)
_HEADINGS = frozenset(
    ("allergies", "drug allergy", "pain")
)  # with a colon behind them they say what is spoken of
# Between a finding and its site: "pain in my left knee", "my belly has been hurting".
_INTO = frozenset("in of to over at around along on the my his her their your both left right bilateral bilaterally distal proximal medial"
    " lateral upper lower dorsal anterior posterior area entire whole this that and mild - , l r s comminuted displaced involving".split())  # fmt: skip
_HURTS = frozenset("has have had been is was are were really still started feel felt very a bit so kind of also got just be get it 's to medial"
    " lateral line joint area chronic acute mild severe - pressure".split())  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a text states: `text[start:end]`.

    `kind` is one of KINDS. `name` is the problem, the drug, what is measured (empty: a number with a unit alone) or the part of
    the body; a problem with a site has it in `site`. `value` is a problem's status (`preceptor.evaluation.clinical.context`, or "asked"), a dose
    ("20 mg"), a number ("148/92", "3 week") or a side; `often` is how many times a day a dose is taken.
    """

    kind: str
    name: str
    value: str
    start: int
    end: int
    site: str = ""
    often: float | None = None
    route: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What the fact says, wherever it stands."""
        return (self.kind, self.name, self.site, self.value, f"{self.often or ''}")


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a text, with what a looser comparison needs: every number, every word by sentence, its sites."""

    found: tuple[Fact, ...]
    numbers: frozenset[float]
    loose: frozenset[float]  # of them those that belong to no dose and no named measure
    sentences: tuple[frozenset[str], ...]
    sites: frozenset[str]
    spoken: bool  # a conversation


@lru_cache(maxsize=4096)
def extract(text: str) -> Facts:
    """Return the facts of a text, in their order."""
    tokens = tokenise(text)
    everything = quantities(tokens)
    found: list[Fact] = []
    sites: set[str] = set()
    stems = []
    for first, last, answer in dialogue.sentences(text, tokens):
        places = list(lexicon.sites().find(tokens, first, last))
        drugs = list(lexicon.drugs().find(tokens, first, last))
        numbers = [q for q in everything if first <= q.first < last]
        problems = [
            p for p in lexicon.problems().find(tokens, first, last) if not any(_over(p, d) for d in drugs)
        ]
        found += _problems(text, tokens, problems, places, first, last, answer)
        found += _medication(text, tokens, drugs, numbers, last)
        dosed = {(f.start, f.end) for f in found if f.kind == "dose"}
        rest = [q for q in numbers if (tokens[q.first].start, tokens[q.last - 1].end) not in dosed]
        found += [
            Fact("number", m.name, m.value, tokens[m.first].start, tokens[m.last - 1].end)
            for m in measures(tokens, rest, first, last)
        ]
        found += [
            Fact("side", s.name, s.side, tokens[s.first].start, tokens[s.last - 1].end)
            for s in lateral(tokens, places, problems, first, last)
        ]
        sites.update(m.entry.name for m in places)
        stems.append(frozenset(token.word for token in tokens[first:last]))
    claimed = [(f.start, f.end) for f in found if f.kind == "dose" or (f.kind == "number" and f.name)]
    loose = frozenset(
        q.value for q in everything if not any(a <= tokens[q.first].start < b for a, b in claimed)
    )
    found.sort(key=lambda fact: (fact.start, fact.end))
    return Facts(
        tuple(found),
        frozenset(q.value for q in everything),
        loose,
        tuple(stems),
        frozenset(sites),
        dialogue.is_spoken(text),
    )


def _over(one: Match, other: Match) -> bool:
    return (
        one.first < other.last and other.first < one.last and other.last - other.first >= one.last - one.first
    )


def _problems(
    text: str,
    tokens: Sequence[Token],
    problems: Sequence[Match],
    sites: Sequence[Match],
    first: int,
    last: int,
    answer: str | None,
) -> Iterator[Fact]:
    if not problems:
        return
    sentence = tokens[first:last]
    triggers = context.triggers(sentence)
    section = _section(text, tokens[first].start)
    for match in problems:
        entry = match.entry
        if entry.name in _HEADINGS and match.last < len(tokens) and tokens[match.last].raw == ":":
            continue
        start, end, site = match.first, match.last, entry.site
        if entry.open and not site:
            start, end, site = _with_site(tokens, match, sites)
        said = context.status(sentence, triggers, match.first - first, match.last - first)
        if entry.absent:
            said = context.ABSENT
        if answer is not None:
            said = _replied(said, answer)
        elif said == context.PRESENT and section:
            said = section
        yield Fact("problem", entry.name, said, tokens[start].start, tokens[end - 1].end, site)


def _replied(said: str, answer: str) -> str:
    """What a problem in a question is by the answer to it. That no relative has it says nothing of the patient."""
    if said == context.ABSENT and answer == context.PRESENT:
        return context.ABSENT  # "No fever, right?" "Right."
    if said == context.FAMILY:
        return dialogue.ASKED if answer == context.ABSENT else said
    return answer


def _with_site(tokens: Sequence[Token], match: Match, sites: Sequence[Match]) -> tuple[int, int, str]:
    """Join a finding with the part of the body beside it."""
    before = next((s for s in reversed(sites) if s.last <= match.first), None)
    if before and match.first - before.last <= 6:
        if all(token.word in _HURTS for token in tokens[before.last : match.first]):
            return before.first, match.last, before.entry.name
    behind = next((s for s in sites if s.first >= match.last), None)
    if behind and 1 <= behind.first - match.last <= 7:
        if all(token.word in _INTO for token in tokens[match.last : behind.first]):
            return match.first, behind.last, behind.entry.name
    return match.first, match.last, ""


def _section(text: str, place: int) -> str:
    """What the heading above a place says of the problems below it; a blank line ends a section."""
    start = text.rfind("\n\n", 0, place) + 1
    headings = list(_HEADING.finditer(text, start, place))
    if not headings:
        return ""
    name = headings[-1][1]
    return context.FAMILY if _FAMILY.search(name) else context.HISTORY if _PAST.search(name) else ""


def _medication(
    text: str, tokens: Sequence[Token], drugs: Sequence[Match], numbers: Sequence[Quantity], last: int
) -> Iterator[Fact]:
    for match in drugs:
        yield Fact("drug", match.entry.name, "", tokens[match.first].start, tokens[match.last - 1].end)
    for dose in doses(text, tokens, drugs, numbers, last):
        yield Fact(
            "dose", drugs[dose.drug].entry.name, f"{dose.amount:g} {dose.unit}", tokens[dose.first].start, tokens[dose.last - 1].end,
            often=dose.often, route=dose.route,
        )  # fmt: skip
