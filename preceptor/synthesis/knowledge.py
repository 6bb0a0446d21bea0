"""Training rows that need no model: problem lists in the terms of the ICD-10-CM tabular list, for codes that are thin.

The list is public domain (CDC/NCHS), from the package simple-icd-10-cm. A row names codes that training has few examples
of, or their siblings in the same category, in the list's own terms: descriptions and inclusion terms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from random import Random

from preceptor import icd10
from preceptor.records import Example
from preceptor.synthesis.filters import Candidate

RECIPE = "icd-10-cm problem lists, 1"
_ENOUGH = 3  # examples of a code: it is not thin
_LONGEST = 4  # problems in a list
_STYLES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("ASSESSMENT", str),
    ("Assessment and plan:", str),
    ("IMPRESSION:", str.lower),
    ("Problem list", str),
    ("DX", str.upper),
)
_MARKS: tuple[Callable[[int], str], ...] = (
    lambda n: f"{n}.",
    lambda n: f"{n})",
    lambda n: "#",
    lambda n: "-",
)


def name() -> str:
    """What marks these rows for ever: the list's package and its version."""
    return f"icd-10-cm:simple-icd-10-cm=={version('simple-icd-10-cm')}"


def problem_lists(train: Sequence[Example], count: int, seed: int = 1) -> Iterator[tuple[Candidate, str]]:
    """Yield up to `count` candidates with their answers, the thinnest codes first. Each is seeded by the example that has
    the code, or a sibling of it; the same examples and seed give the same.

    No list has two codes of one category, or two that exclude each other.
    """
    draw = Random(seed)
    seeds, seen = _thin(train)
    order = sorted(seeds, key=lambda code: (seen[code], draw.random()))
    for start in range(count if order else 0):
        first = order[start % len(order)]
        codes = [first]
        for other in draw.sample(order, min(len(order), draw.randrange(_LONGEST))):
            fits = all(other[:3] != code[:3] for code in codes) and not icd10.contradictory([*codes, other])
            if fits and seeds[other].task == seeds[first].task:
                codes.append(other)
        title, line = draw.choice(_STYLES)
        said = [line(draw.choice(icd10.terms(code))) for code in codes]
        mark = draw.choice(_MARKS)
        text = "\n".join([title, *(f"{mark(n)} {term}" for n, term in enumerate(said, 1))])
        answer = "\n".join(f"{code}: {term}" for code, term in zip(codes, said, strict=True))
        yield Candidate(text, "\n".join(said), seeds[first]), answer


def _thin(train: Sequence[Example]) -> tuple[dict[str, Example], Counter[str]]:
    """The codes that training has few of, or none though it has a sibling, each with the example that it comes from; and
    how many examples each has."""
    coded = sorted((e for e in train if e.task.startswith("coding")), key=lambda e: e.example_id)
    seen = Counter(code for e in coded for code in codes_of(e.answer))
    seeds: dict[str, Example] = {}
    for example in coded:
        for of in codes_of(example.answer):
            for code in icd10.family(of):
                if seen[code] < _ENOUGH:
                    seeds.setdefault(code, example)
    return seeds, seen


def codes_of(answer: str) -> list[str]:
    """The codes of a coding answer, in its order."""
    return [line.partition(":")[0].strip() for line in answer.splitlines() if ":" in line]
