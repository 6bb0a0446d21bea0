"""Another occupation of the same kind and level, so that what it says of a life stays true."""

from __future__ import annotations

import regex

from preceptor.deid.surrogates import pools
from preceptor.deid.surrogates.draws import Draws
from preceptor.deid.tokens import fold


class Occupations:
    """The stand-ins for the occupations around one patient."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws

    def replace(self, value: str) -> str:
        """A plain occupation; plural as the value is, and with a vowel first where "an" may stand before it."""
        low = fold(value)
        plural = low.endswith("s") and not low.endswith("ss")
        single = low.removesuffix("s") if plural else low
        pool = [p.replace("-", " ") for p in _line(single).split()]
        pool = [
            p for p in pool if fold(p) != single and (p[0].lower() in "aeiou") == (single[:1] in "aeiou")
        ] or pool
        new = self._draws.choose("work", single, pool) + ("s" if plural else "")
        return new.upper() if value.isupper() else new[:1].upper() + new[1:] if value[:1].isupper() else new


def _line(occupation: str) -> str:
    """The occupations of the kind an occupation is of: the list it is in, or that of the word it ends or begins with."""
    lines = [line.partition(":") for line in pools.lines("professions")]
    listed = next(
        (jobs for _, _, jobs in lines if occupation in [fold(j.replace("-", " ")) for j in jobs.split()]),
        None,
    )
    if listed:
        return listed
    words = regex.findall(r"\p{L}+", occupation)
    by_word = (jobs for word in reversed(words) for heads, _, jobs in lines if word in heads.split())
    return next(by_word, lines[-1][2])
