"""Names for names: of the same kind, sex and origin, as rare, and in the form they were written in.

The unit is the word. One word of a patient's names has one stand-in wherever it stands, so that "Quackenbush, W.",
"Mrs. Quackenbush" and a sister of that surname agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from preceptor.deid.name_matching import near
from preceptor.deid.record_matching import people_of
from preceptor.deid.surrogates import name_forms, origins, pools
from preceptor.deid.surrogates.draws import Draws
from preceptor.deid.surrogates.name_forms import Word
from preceptor.deid.surrogates.switches import Switches
from preceptor.deid.tokens import fold
from preceptor.deid.types import PEOPLE
from preceptor.deid.words import census, first_name_rank, lexicon, sex_of, surname_rank
from preceptor.records import PatientRecord

_DUTCH = tuple("Heide Linden Veen Laan Molen Brink Broek Horst Velde Meulen Kolk Zanden Hoek".split())
_SPANISH = tuple("Torre Vega Rosa Fuente Garza Huerta Mora Riva Cerda Parra Barca Peña Serna".split())
_AFTER_PARTICLE = dict.fromkeys(("van", "der", "den", "ter"), _DUTCH) | dict.fromkeys(
    ("la", "las", "los"), _SPANISH
)
# A woman's surname and her husband's are one name.
_FEMININE = (("ska", "ski"), ("cka", "cki"), ("ova", "ov"), ("eva", "ev"), ("skaya", "skiy"))
_HYPHENED = ("chinese", "korean")  # their given names are one name: Shu-Fen, Min-jun
_FAMILY_FIRST = ("chinese", "korean", "vietnamese", "hmong", "japanese")
_SLAVIC = ("polish", "russian")
_UNCOMMON = 20_000  # a surname of this census rank or worse says little
_WELL_KNOWN = 1000  # a first name of this census rank or better is taken to be English


@dataclass(frozen=True, slots=True)
class _Person:
    firsts: tuple[str, ...]
    lasts: tuple[str, ...]

    def words(self) -> tuple[str, ...]:
        return (*self.firsts, *self.lasts)


@cache
def _short_forms() -> dict[str, tuple[str, ...]]:
    """First names with their short forms."""
    return {
        first: tuple(rest) for first, *rest in (line.split() for line in sorted(lexicon("nicknames"))) if rest
    }


@cache
def _long_forms() -> dict[str, tuple[str, ...]]:
    """Short forms with the first names they are of."""
    found: dict[str, list[str]] = {}
    for first, shorts in _short_forms().items():
        for short in shorts:
            found.setdefault(short, []).append(first)
    return {short: tuple(firsts) for short, firsts in found.items()}


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
        people = people_of(record) if record else []
        said = [(t, v) for t, v in values if t in PEOPLE]
        self._kinds: dict[str, str] = {}
        self._family: dict[str, str] = {}
        self._particle: dict[str, str] = {}
        self._persons: list[_Person] = []
        self._by_initials: dict[str, _Person] = {}
        self._whole: dict[str, str | None] = {}
        self._drawn_before: dict[str, str] = {}
        self._spellings = _spellings(people, said)
        for name in dict.fromkeys((*(n for _, n in people), *(v for _, v in said))):
            self._learn(name)
        sex = (record.sex or "")[:1].upper() if record else ""
        self._patient_sex = sex if sex in ("M", "F") else ""
        self._patient_words = {
            self.canonical(w.low)
            for t, n in (*people, *said)
            if t == "PATIENT"
            for w in name_forms.read(n).own()
        }

    # What is known of the names

    def canonical(self, word: str) -> str:
        """The folded form all spellings of a word share: a slip in a known name is that name."""
        low = fold(word).removesuffix("'s")
        return self._spellings.get(low, low)

    def knows(self, word: str) -> bool:
        """Whether a word is part of one of the names."""
        return self.canonical(word) in self._kinds

    @cached_property
    def known_words(self) -> list[str]:
        """All words of the names, the longest first."""
        return sorted(self._kinds, key=lambda w: (-len(w), w))

    def is_last(self, word: str) -> bool:
        """Whether a word is known as a surname."""
        return self._kinds.get(self.canonical(word)) == "last"

    def _parsed(self, name: str) -> _Person | None:
        read = name_forms.read(name)
        words = [w for w in read.own() if not w.aside]
        if read.turned:
            firsts = [self.canonical(w.low) for w in words if w.part]
            lasts = [self.canonical(w.low) for w in words if not w.part]
        else:
            pieces: list[list[str]] = []
            for w in words:
                if w.joined and pieces:
                    pieces[-1].append(self.canonical(w.low))
                else:
                    pieces.append([self.canonical(w.low)])
            if len(pieces) < 2:
                surname = pieces and (read.titled or len(pieces[0]) > 1)
                return _Person((), tuple(pieces[0])) if surname else None
            at = self._family_name_first(pieces)
            lasts = pieces[0] if at else pieces[-1]
            firsts = [w for p in (pieces[1:] if at else pieces[:-1]) for w in p]
        return _Person(tuple(firsts), tuple(lasts)) if lasts or firsts else None

    def _family_name_first(self, pieces: list[list[str]]) -> bool:
        here = [o for o in origins.listed(pieces[0][0], "last") if o in _FAMILY_FIRST]
        known = self._kinds.get(pieces[0][0]) == "last" and self._kinds.get(pieces[-1][0]) == "first"
        return known or bool(here) and not origins.listed(pieces[-1][0], "last")

    def _learn(self, name: str) -> None:
        words = name_forms.read(name).words
        for before, word in zip(words, words[1:], strict=False):
            # "Van" is a middle name too: Loc Van Nguyen.
            if before.low in _AFTER_PARTICLE and before.role == "particle" and word.role == "name":
                here = origins.listed(word.low, "last")
                if not here or "dutch" in here or "spanish" in here:
                    self._particle.setdefault(self.canonical(word.low), before.low)
        person = self._parsed(name)
        if person is None or all(len(w) == 1 for w in person.words()) or person in self._persons:
            return
        self._persons.append(person)
        self._by_initials.setdefault("".join(w[0] for w in person.words()), person)
        for kind, some in (("first", person.firsts), ("last", person.lasts)):
            for low in some:
                if len(low) > 1:
                    self._kinds.setdefault(low, kind)
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
        words = name_forms.read(value).own()
        if not words:
            return value
        whole = [self._known_form(w.low) for w in words if w.role == "name"]
        mentioned = next((w for w in whole if w in self._kinds), next(iter(whole), ""))
        if mentioned:
            self._switches.mention(self.family(mentioned))
        letters = "".join(w.text for w in words)
        if not whole and len(words) > 3:  # spelled: B-I-R-D-S-O-N-G
            return _written(value, words, self._spelled(letters))
        person = self._by_initials.get(fold(letters)) if 1 < len(letters) <= 4 else None
        if person is not None and not any(w in self._kinds for w in whole):
            initials = self._initials(person)
            if initials == fold(letters):  # by chance
                initials = initials[:-1] + self._letter(initials[-1])
            letter = iter(initials)
            return _written(
                value, words, ["".join(_like_letter(next(letter), c) for c in w.text) for w in words]
            )
        return self._by_word(value, words)

    def _by_word(self, value: str, words: list[Word]) -> str:
        beside = [self.canonical(w.low) for w in words if w.role == "name"]
        out, at = [], 0
        for n, w in enumerate(words):
            if w.start < at:
                continue
            after = words[n + 1] if n + 1 < len(words) else None
            out.append(value[at : w.start])
            at = w.end
            if w.role == "initial":
                out.append(self._initial(w.text, beside))
            elif after is not None and after.joined and self._is_hyphened_name(value[w.start : after.end]):
                at = after.end
                out.append(self.word(value[w.start : at]))
            else:
                out.append(self.word(w.text))
        return "".join(out) + value[at:]

    def _is_hyphened_name(self, pair: str) -> bool:
        low = fold(pair)
        if any(o in _HYPHENED for kind in ("female", "male") for o in origins.listed(low, kind)):
            return True
        first = low.split("-")[0]
        return self._kinds.get(first) == "first" and self._origin(first, "first") in _HYPHENED

    def word(self, word: str) -> str:
        """The stand-in for one word of a name (or a given name with a hyphen), with its case and possessive."""
        tail = word[-2:] if fold(word[-2:]) == "'s" else ""
        bare = word[:-2] if tail else word
        new = self._drawn(self.canonical(bare))
        if bare.isascii() or not any(ord(c) > 127 and c.isalpha() for c in bare):
            new = origins.plain(new)
        return _cased(new, bare) + tail

    def _drawn(self, low: str) -> str:
        key = self._switches.key(self.family(self._known_form(low)), low)
        new = self._drawn_before.get(key)
        if new is None:
            new = self._drawn_before[key] = self._draw(low, key)
        return new

    def _draw(self, low: str, key: str) -> str:
        if self._kind(low) == "last":
            return self._surname(low, key)
        whole = self._whole_form(low)
        if whole is None:
            return self._draws.choose("first", key, self._first_names(low))
        formal = self._drawn(whole)
        shorts = _short_forms().get(fold(formal), ())
        ours = _short_forms().get(whole, ())
        place = ours.index(low) if low in ours else 0
        return shorts[place % len(shorts)].capitalize() if shorts else formal

    def _surname(self, low: str, key: str) -> str:
        for woman, man in _FEMININE:
            stem = low.removesuffix(woman)
            if len(stem) > 2 and stem != low and self._origin(low, "last") in _SLAVIC:
                of_man = self._draws.choose(
                    "last", key.replace(low, stem + man, 1), self._surnames(stem + man)
                )
                plain = fold(of_man)
                ending = next((w for w, m in _FEMININE if plain.endswith(m)), None)
                return of_man if ending is None else of_man[: -len(dict(_FEMININE)[ending])] + ending
        return self._draws.choose("last", key, self._surnames(low))

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
        # By itself and in no list, what the text calls the patient is a first name: after a title it would be known.
        called = low in self._patient_words and surname_rank(low) > _UNCOMMON
        return "first" if called or "-" in low or first_name_rank(low) * 4 < surname_rank(low) else "last"

    def _known_form(self, low: str) -> str:
        """The known name that a word is a spelling or a short form of, or the word."""
        low = self.canonical(low)
        return low if low in self._kinds else self._whole_form(low) or low

    def _whole_form(self, low: str) -> str | None:
        """The known first name that a word is a short form of: Bill, where a William is known."""
        if low not in self._whole:
            self._whole[low] = self._find_whole_form(low)
        return self._whole[low]

    def _find_whole_form(self, low: str) -> str | None:
        if self._kinds.get(low) == "last":
            return None
        listed = next((f for f in _long_forms().get(low, ()) if self._kinds.get(f) == "first"), None)
        if listed or low in self._kinds or len(low) < 3:
            return listed
        # Short forms in no list: Chidi of Chidinma, Ruthie of Ruth. What is a name of its own only if it is the patient's.
        firsts = [w for w in self.known_words if self._kinds[w] == "first" and len(w) > 2]
        own = [w for w in firsts if low in self._patient_words and w in self._patient_words]
        for some in (own, [] if _is_well_known(low) else firsts):
            for first in some:
                if first.startswith(low) or low in (
                    first + "y",
                    first + "ie",
                    first + first[-1] + "y",
                    first[:-1] + "ie",
                ):
                    return first
        return None

    def _origin(self, low: str, kind: str) -> str:
        """The origin of a word; where it is in several lists or in none, the rest of the name decides. Empty: English."""
        kinds = ("last",) if kind == "last" else ("female", "male")
        here = tuple(dict.fromkeys(o for k in kinds for o in origins.listed(low, k)))
        shared = kind == "first" and origins.is_shared(low)
        if len(here) == 1 and not shared:
            return here[0]
        if not here and kind == "last" and (ending := origins.by_ending(low)):
            return ending
        if not here and (
            kind == "last"
            and surname_rank(low) < _UNCOMMON
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
            for o in origins.told(w, k)
        ]
        fitting = [o for o in other if o in here] if here else other
        return next(iter(fitting or (() if shared else here)), "")

    def _surnames(self, low: str) -> tuple[str, ...]:
        if low in self._particle:
            return _AFTER_PARTICLE[self._particle[low]]
        origin = self._origin(low, "last")
        if not origin:
            return _english_surnames(pools.band("last", low))
        prefix = next((p for p in ("o'", "mc", "mac") if origin == "irish" and low.startswith(p)), "")
        return origins.pool(origin, "last", False, prefix)

    def _first_names(self, low: str) -> tuple[str, ...]:
        kind = "male" if self._sex(low) == "M" else "female"
        origin = self._origin(low, "first")
        if origin:
            return origins.pool(origin, kind, "-" in low and origin in _HYPHENED)
        if low in _short_forms():
            return _with_short_forms(kind)
        return pools.census_pool(kind, low)

    def _sex(self, low: str) -> str:
        if self._patient_sex and low in self._patient_words:
            return self._patient_sex
        said = self._sexes.get(low) or origins.first_name_sex(low) or sex_of(low)
        return said or ("F" if self._draws.number("sex", low) % 2 else "M")

    # Initials

    def _initials(self, person: _Person) -> str:
        return "".join(fold(self._drawn(w))[0] if len(w) > 1 else self._letter(w) for w in person.words())

    def _initial(self, letter: str, others: list[str]) -> str:
        """The initial of the stand-in of whoever it stands for: the person with the words beside it, if one fits."""
        low = fold(letter)
        near = [p.words() for p in self._persons if not others or any(o in p.words() for o in others)]
        fitting = [w for words in near for w in words if w[0] == low and len(w) > 1 and w not in others]
        if not fitting:
            return _like_letter(self._letter(low), letter)
        return _like_letter(fold(self._drawn(fitting[0] if others else min(fitting)))[0], letter)

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
def _english_surnames(band: int) -> tuple[str, ...]:
    """Census surnames of a band of frequency without those of a listed origin, which are no stand-in for one that is not."""
    return tuple(
        n for n in pools.ranked("last", band) if not (origins.listed(n, "last") or origins.by_ending(n))
    )


def _spellings(people: Sequence[tuple[str, str]], said: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Words that are a slip of a known name, with that name.

    Known are the record's names and, after them, the whole names that the text calls the patient. A word that is well
    known as a name by itself (Mario beside Maria) counts as a slip only where the text calls the patient so.
    """
    known: dict[str, bool] = {}  # the name, and whether it is the patient's
    for kind, name in people:
        for w in name_forms.read(name).own():
            known[w.low] = known.get(w.low, False) or kind == "PATIENT"
    found: dict[str, str] = {}
    for kind, value in said:
        words = [w.low for w in name_forms.read(value).own()]
        for low in words:
            if len(low) < 5 or low in known or low in found:
                continue
            own = kind == "PATIENT"
            some = [k for k, of_patient in known.items() if of_patient] if own else []
            some = [*some, *known] if not _is_well_known(low) else some
            meant = next((k for k in some if _is_slip(low, k)), None)
            if meant is not None:
                found[low] = meant
            elif own and len(words) > 1:
                known[low] = True
    return found


def _is_slip(a: str, b: str) -> bool:
    """One letter off in names of five letters or more, two in longer ones that begin alike."""
    if len(b) < 5:
        return False
    return near(a, b) or len(b) > 6 and a[0] == b[0] and _edits(a, b) <= 2


def _edits(a: str, b: str) -> int:
    """The Levenshtein distance, given up above 2."""
    if abs(len(a) - len(b)) > 2:
        return 3
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


@cache
def _is_well_known(low: str) -> bool:
    """Whether a word is a name that many bear."""
    listed = any(origins.listed(low, kind) for kind in ("last", "female", "male"))
    return listed or first_name_rank(low) <= _WELL_KNOWN or surname_rank(low) <= 4 * _WELL_KNOWN


def _written(value: str, words: Sequence[Word], new: Sequence[str]) -> str:
    """The value with some of its words replaced."""
    out, at = [], 0
    for w, text in zip(words, new, strict=True):
        out += [value[at : w.start], text]
        at = w.end
    return "".join(out) + value[at:]


def _like_letter(new: str, like: str) -> str:
    return new.upper() if like.isupper() else new.lower()


def _cased(new: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return new.upper()
    return new.lower() if like.islower() else new
