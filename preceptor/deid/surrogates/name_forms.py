"""How a name is written: which of its words are names, and which are titles, credentials, particles or initials."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import regex

from preceptor.deid.surrogates import origins
from preceptor.deid.tokens import fold
from preceptor.deid.words import first_name_rank, lexicon

Role = Literal["name", "initial", "particle", "title"]

_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}[\p{L}\p{M}]*)*")
_PARTICLES = frozenset(
    "de la las los del della di da dos das du le van von der den ter ten zu al el bin ibn ben bint st saint thi".split()
)
_LINKS = frozenset("and or of und y e i".split())
_BEFORE = regex.compile(
    r"\W*(?:(?:dr|doctor|mr|mrs|ms|mx|miss|prof|professor|rev|sgt|sergeant|atty|attorney|nurse|sister|brother|aunt|auntie"
    r"|uncle|grandma|grandpa|baby(?:\s+(?:boy|girl))?|big|little|my|the|his|her|sra|srta|señora?|señorita)\b\.?"
    r"(?:\s+(?:and|&)\s+(?=[dm]rs?\b))?\W{0,3})+(?=\p{L})",
    regex.I,
)
_CREDENTIAL = (
    r"(?:M\.?D|D\.?O|M\.?B\.?B\.?S|R\.?N|L\.?[PV]\.?N|N\.?P|P\.?A(?:[- .]?C)?|Ph\.?\s?D|Psy\.?D|Pharm\.?D|R\.?Ph|D\.?N\.?P"
    r"|[AF]\.?N\.?P(?:-?B?C)?|A\.?P\.?R\.?N|ARNP|CNP|CNM|CNS|CRNA|CCRN|BSN|MSN|B\.?S|M\.?S|M\.?A|M\.?Ed|MBA|MPH|MSW|LI?CSW|LMHC"
    r"|LPC|LMFT|DPT|PT|OTR?(?:/L)?|SLP|CCC-SLP|RRT|RD|RDN|CDE|DDS|DMD|DPM|OD|FAC[CPS]|FAAP|FAAN|FRCS|BCBA|Esq|EMT(?:-P)?"
    r"|[JS]r|JR|SR|II|III|IV)\.?"
)
_AFTER_COMMA = regex.compile(rf"\s*,\s*{_CREDENTIAL}(?:[\s,/]+{_CREDENTIAL})*\s*$", regex.I)
_AFTER_SPACE = regex.compile(rf"\s+{_CREDENTIAL}(?:[\s,/]+{_CREDENTIAL})*\s*$")
_MAY_BE_CREDENTIAL = regex.compile(
    r"(?:[A-Z.].?|[JS]r|sq|Ed|Ph)\.?\s*$"
)  # spares most names the search for one
_NAMES_TOO = frozenset(("DO", "MA", "PA", "OD"))  # in capitals as likely the surname: ANH DO
_ASIDE = regex.compile(r"[\"“(][^\"”)]*[\"”)]")
_MAY_BE_ASIDE = frozenset('"“(')
_WELL_KNOWN = 1000


class Word(NamedTuple):
    """`value[start:end]`. `part`: the part between commas; `joined`: a hyphen before it; `aside`: in brackets or quotes."""

    text: str
    low: str
    start: int
    end: int
    role: Role
    part: int
    joined: bool
    aside: bool


@dataclass(frozen=True, slots=True)
class Name:
    """The words of a value in order. `titled`: with "Mr." or the like before it; `turned`: LAST, FIRST."""

    words: tuple[Word, ...]
    titled: bool
    turned: bool

    def own(self) -> list[Word]:
        """Names and initials."""
        return [w for w in self.words if w.role in ("name", "initial")]


@lru_cache(maxsize=4096)
def read(value: str) -> Name:
    """The words of a name with the part that each plays.

    >>> [(w.text, w.role) for w in read("Dr. Ludwig van Beek, M.D.").words][:4]
    [('Dr', 'title'), ('Ludwig', 'name'), ('van', 'particle'), ('Beek', 'name')]
    """
    found = list(_WORD.finditer(value))
    body_end = _body_end(value, len(found))
    before = _BEFORE.match(value, 0, body_end) if len(found) > 1 else None
    body = before.end() if before else 0
    inside = [m for m in found if body <= m.start() < body_end]
    turned = len(inside) > 1 and "," in value[body : inside[-1].start()]
    asides = [a.span() for a in _ASIDE.finditer(value)] if _MAY_BE_ASIDE.intersection(value) else ()
    words, at, part = [], body, 0
    for n, m in enumerate(found):
        text, (start, end) = m.group(), m.span()
        low = fold(text)
        if low.endswith("'s") and len(low) > 3:
            low = low[:-2]
        role: Role = "title"
        if body <= start < body_end:
            commas = value.count(",", at, start)
            begins, part = m is inside[0] or commas > 0, part + commas
            last = m is inside[-1] or "," in value[end : found[n + 1].start()]
            surname_place = before is not None or turned and not part
            role = _role(text, low, value, len(inside) == 1, begins and not surname_place, last)
            at = end
        joined = n > 0 and value[start - 1] == "-" and found[n - 1].end() == start - 1
        aside = bool(asides) and any(a <= start < b for a, b in asides)
        words.append(Word(text, low, start, end, role, part, joined, aside))
    return Name(tuple(words), before is not None, turned)


def _role(text: str, low: str, value: str, alone: bool, begins: bool, last: bool) -> Role:
    """`begins`: it is where a first name stands; `last`: nothing follows that a particle could belong to."""
    if len(low) == 1:
        linked = low in _LINKS and text.islower() and not last and not begins and not value.islower()
        return "particle" if linked else "initial"
    if alone:
        return "name"
    if low in _PARTICLES and not last:
        a_name = begins and text[0].isupper() and (first_name_rank(low) < _WELL_KNOWN or _listed(low))
        return "name" if a_name else "particle"
    if low in _LINKS or low in lexicon("relations"):
        return "title"
    return "name"


def _listed(low: str) -> bool:
    return any(origins.listed(low, kind) for kind in ("last", "female", "male"))


def _body_end(value: str, words: int) -> int:
    """Where credentials begin."""
    m = _AFTER_COMMA.search(value) if "," in value else None
    if m is None and words > 1 and _MAY_BE_CREDENTIAL.search(value):
        m = _AFTER_SPACE.search(value)
        if m and words < 3 and m.group().strip() in _NAMES_TOO and value.isupper():
            m = None
    return m.start() if m and _WORD.search(value, 0, m.start()) else len(value)
