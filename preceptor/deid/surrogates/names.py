"""Names for names: of the same kind, sex and origin, as rare, and in the form they were written in.

The unit is the word. One word of a patient's names has one stand-in wherever it stands, so that "Quackenbush, W.",
"Mrs. Quackenbush" and a sister of that surname agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import regex

from preceptor.deid.record_matching import name_words, near, people_of
from preceptor.deid.surrogates import origins, pools
from preceptor.deid.surrogates.draws import Draws
from preceptor.deid.surrogates.switches import Switches
from preceptor.deid.tokens import fold
from preceptor.deid.types import PEOPLE
from preceptor.deid.words import census, first_name_rank, lexicon, sex_of, surname_rank
from preceptor.records import PatientRecord

_WORD = r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}[\p{L}\p{M}]*)*"
# Left as they are in a name.
_PARTICLES = frozenset(
    "de la las los del della di da dos das du le van von der den ter ten zu al el bin ibn ben bint st saint y e i".split()
)
_TITLES = frozenset(
    "jr sr ii iii iv mr mrs ms miss mx dr doctor prof professor rev sgt sergeant atty attorney sister brother md do rn np "
    "phd pa pac lcsw dpt cnp aunt uncle grandma grandpa big little baby my the his her and or of".split()
)
_DUTCH = tuple("Heide Linden Veen Laan Molen Brink Broek Horst Velde Meulen Kolk Zanden Hoek".split())
_SPANISH = tuple("Torre Vega Rosa Fuente Garza Huerta Mora Riva Cerda Parra Barca Peña Serna".split())
_AFTER_PARTICLE = dict.fromkeys(("van", "der", "den", "ter"), _DUTCH) | dict.fromkeys(
    ("la", "las", "los"), _SPANISH
)
_HYPHENED = ("chinese", "korean")  # their given names are one name: Shu-Fen, Min-jun
_FAMILY_FIRST = ("chinese", "korean", "vietnamese", "hmong", "japanese")
_WELL_KNOWN = 1000  # a first name of this census rank or better is taken to be English


@dataclass(frozen=True, slots=True)
class _Person:
    firsts: tuple[str, ...]
    lasts: tuple[str, ...]

    def initials(self) -> str:
        return "".join(word[0] for word in (*self.firsts, *self.lasts))


@cache
def _short_forms() -> dict[str, tuple[str, ...]]:
    """First names with their short forms."""
    return {
        first: tuple(rest) for first, *rest in (line.split() for line in sorted(lexicon("nicknames"))) if rest
    }


class Names:
    """The stand-ins for the names around one patient. `sexes`: what the text says of a folded first name's sex."""

    def __init__(
        self,
        draws: Draws,
        switches: Switches,
        record: PatientRecord | None,
        values: Iterable[tuple[str, str]],
        sexes: Mapping[str, str],
    ) -> None:
        self._draws, self._switches, self._sexes = draws, switches, sexes
        known = [name for _, name in people_of(record)] if record else []
        self._canon = list(dict.fromkeys(fold(w) for name in known for w in name_words(name) if len(w) >= 5))
        self._kinds: dict[str, str] = {}
        self._family: dict[str, str] = {}
        self._particle: dict[str, str] = {}
        self._persons: list[_Person] = []
        for name in (*known, *(v for t, v in values if t in PEOPLE)):
            self._learn(name)
        sex = (record.sex or "")[:1].upper() if record else ""
        self._patient_sex = sex if sex in ("M", "F") else ""
        names = record.names if record else ()
        self._patient_firsts = {w for p in map(self._parsed, names) if p for w in p.firsts}

    # What is known of the names

    def canonical(self, word: str) -> str:
        """The folded form all spellings of a word share: a slip of one letter in a known name is that name."""
        low = fold(word).removesuffix("'s")
        if low in self._canon or len(low) < 5:
            return low
        return next((c for c in self._canon if near(c, low)), low)

    def knows(self, word: str) -> bool:
        """Whether a word is part of one of the names."""
        return self.canonical(word) in self._kinds

    def known_words(self) -> list[str]:
        """All words of the names, the longest first."""
        return sorted(self._kinds, key=lambda w: (-len(w), w))

    def is_last(self, word: str) -> bool:
        """Whether a word is known as a surname."""
        return self._kinds.get(self.canonical(word)) == "last"

    def _parsed(self, name: str) -> _Person | None:
        bare = regex.sub(r"[\"“(][^\"”)]*[\"”)]", " ", name)
        before, comma, after = bare.partition(",")
        chunks = [name_words(c) for c in (before, after) if name_words(c)]
        if comma and len(chunks) == 2:
            lasts, firsts = self._plain(chunks[0]), self._plain(chunks[1])
        else:
            pieces = [self._plain(name_words(p)) for p in regex.split(r"\s+", before)]
            pieces = [p for p in pieces if p]
            if not pieces:
                return None
            if len(pieces) == 1:
                titled = regex.match(r"(?i)(?:dr|mrs?|ms|miss|prof)\b", name.strip())
                return _Person((), tuple(pieces[0])) if titled or len(pieces[0]) > 1 else None
            at = self._family_name_first(pieces)
            lasts = pieces[0] if at else pieces[-1]
            firsts = [w for p in (pieces[1:] if at else pieces[:-1]) for w in p]
        return _Person(tuple(firsts), tuple(lasts)) if lasts or firsts else None

    def _plain(self, words: Iterable[str]) -> list[str]:
        return [low for w in words if (low := self.canonical(w)) not in _PARTICLES | _TITLES]

    def _family_name_first(self, pieces: list[list[str]]) -> bool:
        here = [o for o in origins.listed(pieces[0][0], "last") if o in _FAMILY_FIRST]
        known = self._kinds.get(pieces[0][0]) == "last" and self._kinds.get(pieces[-1][0]) == "first"
        return known or bool(here) and not origins.listed(pieces[-1][0], "last")

    def _learn(self, name: str) -> None:
        words = [fold(w) for w in regex.findall(_WORD, name)]
        for particle, word in zip(words, words[1:], strict=False):
            # "Van" is a middle name too: Loc Van Nguyen.
            here = origins.listed(word, "last")
            if (
                particle in _AFTER_PARTICLE
                and word not in _PARTICLES
                and (not here or "dutch" in here or "spanish" in here)
            ):
                self._particle.setdefault(self.canonical(word), particle)
        person = self._parsed(name)
        if person is None or all(len(w) == 1 for w in (*person.firsts, *person.lasts)):
            return
        self._persons.append(person)
        for kind, some in (("first", person.firsts), ("last", person.lasts)):
            for word in some:
                if len(word) > 1:
                    self._kinds.setdefault(word, kind)
        self._join([w for w in (*person.lasts, *person.firsts) if len(w) > 1])

    def _join(self, words: list[str]) -> None:
        roots = [self.family(w) for w in words]
        for root in roots:
            self._family[root] = min(roots)

    def family(self, word: str) -> str:
        """The identity a word changes with: one of the words it stands together with, the same for all of them."""
        root = word
        while (up := self._family.get(root, root)) != root:
            root = up
        return root

    # Stand-ins

    def replace(self, value: str) -> str:
        """A name in the form of another: order, case, initials, hyphens, titles and possessives as they are."""
        words = regex.findall(_WORD, value)
        mentioned = next((self.canonical(w) for w in words if self.knows(w)), None)
        mentioned = mentioned or next((fold(w) for w in words if len(w) > 1), "")
        if mentioned:
            self._switches.mention(self.family(mentioned))
        letters = "".join(words)
        if all(len(w) == 1 for w in words) and len(words) > 3:  # spelled: B-I-R-D-S-O-N-G
            spelled = iter(self._spelled(letters))
            return regex.sub(r"\p{L}", lambda m: next(spelled), value)
        person = self._person_of(letters)
        if person is not None and len(letters) <= 4 and not any(self.knows(w) for w in words if len(w) > 1):
            initials = iter(self._initials(person))
            return regex.sub(r"\p{L}", lambda m: _like_letter(next(initials), m.group()), value)
        new = self._by_word(value, words)
        if new == value and words:
            new = regex.sub(_WORD, lambda m: self.word(m.group()) if len(m.group()) > 2 else m.group(), value)
        return new

    def _by_word(self, value: str, words: list[str]) -> str:
        lasts = [self.canonical(w) for w in words if len(w) > 1]

        def chunk(m: regex.Match) -> str:
            text = m.group()
            low = fold(text).removesuffix("'s")
            if "-" in text:
                if self._is_hyphened_name(low):
                    return self.word(text)
                return regex.sub(_WORD, one, text)
            return one(m)

        def one(m: regex.Match) -> str:
            text = m.group()
            low = fold(text)
            if len(low) == 1:
                return self._initial(text, lasts) if low not in _PARTICLES or text.isupper() else text
            if low in _PARTICLES or low in _TITLES and len(words) > 1 or low in lexicon("relations"):
                return text
            return self.word(text)

        return regex.sub(rf"{_WORD}(?:-{_WORD})*", chunk, value)

    def _is_hyphened_name(self, low: str) -> bool:
        if any(o in _HYPHENED for kind in ("female", "male") for o in origins.listed(low, kind)):
            return True
        first = low.split("-")[0]
        return self._kinds.get(first) == "first" and self._origin(first, "first") in _HYPHENED

    def word(self, word: str) -> str:
        """The stand-in for one word of a name (or a given name with a hyphen), with its case and possessive."""
        tail = (regex.search(r"['’]s$", word) or [""])[0] if fold(word).endswith("'s") else ""
        bare = word[: len(word) - len(tail)] if tail else word
        low = self.canonical(bare)
        new = self._drawn(low)
        new = new if any(ord(c) > 127 and c.isalpha() for c in bare) else origins.plain(new)
        return _cased(new, bare) + tail

    def _drawn(self, low: str) -> str:
        key = self._switches.key(self.family(low), low)
        if self._kind(low) == "last":
            return self._draws.choose("last", key, self._surnames(low))
        whole = self._whole_form(low)
        if whole is not None:
            formal = self._drawn(whole)
            shorts = _short_forms().get(fold(formal), ())
            place = _short_forms()[whole].index(low)
            return shorts[place % len(shorts)].capitalize() if shorts else formal
        return self._draws.choose("first", key, self._first_names(low))

    def _kind(self, low: str) -> str:
        known = self._kinds.get(low)
        if known:
            return known
        if (
            self._whole_form(low) is not None
            or origins.first_name_sex(low)
            and not origins.listed(low, "last")
        ):
            return "first"
        if origins.listed(low, "last") and first_name_rank(low) > _WELL_KNOWN:
            return "last"
        return "first" if "-" in low or first_name_rank(low) * 4 < surname_rank(low) else "last"

    def _whole_form(self, low: str) -> str | None:
        """The known first name that a word is a short form of: Bill, where a William is known."""
        if self._kinds.get(low) == "last":
            return None
        forms = (first for first, shorts in _short_forms().items() if low in shorts)
        return next((f for f in forms if self._kinds.get(f) == "first"), None)

    def _origin(self, low: str, kind: str) -> str:
        """The origin of a word; where it is in several lists or in none, the rest of the name decides. Empty: English."""
        kinds = ("last",) if kind == "last" else ("female", "male")
        here = tuple(dict.fromkeys(o for k in kinds for o in origins.listed(low, k)))
        if len(here) == 1:
            return here[0]
        if not here and kind == "last" and (ending := origins.by_ending(low)):
            return ending
        if not here and (
            kind == "last"
            and surname_rank(low) < 20000
            or kind == "first"
            and first_name_rank(low) < _WELL_KNOWN
        ):
            return ""
        beside = [p for p in self._persons if low in (p.lasts if kind == "last" else p.firsts)]
        other = [
            o
            for p in beside
            for w in (p.firsts if kind == "last" else p.lasts)
            for k in (("female", "male") if kind == "last" else ("last",))
            for o in origins.listed(w, k)
        ]
        fitting = [o for o in other if o in here] if here else other
        return (fitting or here or ("",))[0]

    def _surnames(self, low: str) -> tuple[str, ...]:
        if low in self._particle:
            return _AFTER_PARTICLE[self._particle[low]]
        origin = self._origin(low, "last")
        if not origin:
            return tuple(n for n in pools.census_pool("last", low) if not _foreign(n))
        prefix = next((p for p in ("o'", "mc", "mac") if origin == "irish" and low.startswith(p)), "")
        return origins.pool(origin, "last", False, prefix)

    def _first_names(self, low: str) -> tuple[str, ...]:
        kind = "male" if self._sex(low) == "M" else "female"
        origin = self._origin(low, "first")
        if origin:
            return origins.pool(origin, kind, "-" in low and origin in _HYPHENED) or origins.pool(
                origin, kind
            )
        if low in _short_forms():
            return _with_short_forms(kind)
        return pools.census_pool(kind, low)

    def _sex(self, low: str) -> str:
        if low in self._patient_firsts and self._patient_sex:
            return self._patient_sex
        said = self._sexes.get(low) or origins.first_name_sex(low) or sex_of(low)
        return said or ("F" if self._draws.number("sex", low) % 2 else "M")

    # Initials

    def _person_of(self, letters: str) -> _Person | None:
        low = fold(letters)
        return next((p for p in self._persons if len(low) > 1 and p.initials() == low), None)

    def _initials(self, person: _Person) -> str:
        return "".join(
            fold(self._drawn(w))[0] if len(w) > 1 else self._letter(w)
            for w in (*person.firsts, *person.lasts)
        )

    def _initial(self, letter: str, others: list[str]) -> str:
        """The initial of the stand-in of whoever it stands for: the person with the words beside it, if one fits."""
        low = fold(letter)
        words = [w for p in self._persons for w in (*p.firsts, *p.lasts) if w.startswith(low) and len(w) > 1]
        beside = [
            w
            for p in self._persons
            if any(o in p.lasts or o in p.firsts for o in others)
            for w in (*p.firsts, *p.lasts)
            if w.startswith(low) and len(w) > 1 and w not in others
        ]
        fitting = beside or ([] if others else sorted(words))
        return _like_letter(fold(self._drawn(fitting[0]))[0] if fitting else self._letter(low), letter)

    def _letter(self, low: str) -> str:
        letters = [c for c in "abcdefghjklmnprstvw" if c != low]
        return letters[self._draws.number("initial", low) % len(letters)]

    def _spelled(self, letters: str) -> str:
        """A name spelled letter by letter: as many letters of its stand-in, or other letters."""
        drawn = origins.plain(self._drawn(self.canonical(letters)))
        drawn = (drawn + "".join(self._letter(fold(c)) for c in letters))[: len(letters)]
        return "".join(_like_letter(d, c) for d, c in zip(drawn, letters, strict=True))


@cache
def _with_short_forms(kind: str) -> tuple[str, ...]:
    """Census first names of one sex that have a short form and are no ordinary word."""
    return tuple(
        sorted(
            n.capitalize()
            for n in _short_forms()
            if n in census(kind)
            and census(kind)[n] < 400
            and pools.usable(n)
            and sex_of(n) == kind[0].upper()
        )
    )


@cache
def _foreign(name: str) -> bool:
    """Whether a census surname is one of a listed origin, and so no stand-in for one that is not."""
    return bool(origins.listed(name, "last") or origins.by_ending(name))


def _like_letter(new: str, like: str) -> str:
    return new.upper() if like.isupper() else new.lower()


def _cased(new: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return new.upper()
    return new.lower() if like.islower() else new
