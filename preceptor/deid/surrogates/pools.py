"""What stand-ins are drawn from: the word lists in pools/, and the names of the census by how frequent they are."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from pathlib import Path

from preceptor.deid.tokens import fold
from preceptor.deid.words import census, clinical_words, is_ordinary, lexicon, sex_of

_POOLS = Path(__file__).parent / "pools"
# Ranks at which a new band of frequency begins: a rare name gets a rare one. The rarest band is left out of the
# draw (a name borne by a few families identifies them); a name from it gets one of the band before.
SURNAME_BANDS = (1, 150, 1000, 4000, 12000)
FIRST_NAME_BANDS = (1, 60, 200, 500, 1000)


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of pools/<name>.txt without comments."""
    said = (_POOLS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in said if line.strip() and not line.startswith("#"))


@cache
def words(name: str) -> tuple[str, ...]:
    """All words of a list."""
    return tuple(word for line in lines(name) for word in line.split())


@cache
def word_set(name: str) -> frozenset[str]:
    """The words of a list, to look one up."""
    return frozenset(words(name))


def usable(name: str) -> bool:
    """Whether a name may stand in for another: it is no ordinary word, clinical term or city, which would mislead."""
    low = fold(name)
    return len(low) >= 3 and not (is_ordinary(low) or low in clinical_words() or low in lexicon("cities"))


@cache
def ranked(kind: str, band: int) -> tuple[str, ...]:
    """Names of the US census of one kind (`male`, `female`, `last`) and one band of frequency."""
    bands = SURNAME_BANDS if kind == "last" else FIRST_NAME_BANDS
    low, high = bands[band], bands[band + 1]
    names = (n for n, rank in census(kind).items() if low <= rank < high and 3 < len(n) < 11 and usable(n))
    # Kelly is in both lists of first names, and stands in for women only.
    return tuple(sorted(capitalised(n) for n in names if kind == "last" or sex_of(n) == kind[0].upper()))


def band(kind: str, name: str) -> int:
    """The band of frequency that a name is in; the last but one for the rarest and for unknown names."""
    bands = SURNAME_BANDS if kind == "last" else FIRST_NAME_BANDS
    rank = census(kind).get(fold(name).replace("'", ""), bands[-1])
    return min(bisect_right(bands, rank), len(bands) - 1) - 1


def census_pool(kind: str, name: str) -> tuple[str, ...]:
    """Names of the US census of one kind, of the frequency of another."""
    return ranked(kind, band(kind, name))


def capitalised(name: str) -> str:
    """A name that the census has in small letters, as it is written: "mckenzie" is McKenzie."""
    if name.startswith("mc") and len(name) > 4:
        return "Mc" + name[2:].title()
    return name.title()
