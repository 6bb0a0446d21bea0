"""Places for places: a street stays a street of its type, a hospital keeps its kind, a city lies in the same part of the world."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import regex

from preceptor.deid.surrogates import number_words, pools
from preceptor.deid.surrogates.draws import Draws
from preceptor.deid.surrogates.switches import Switches
from preceptor.deid.tokens import fold
from preceptor.deid.words import is_ordinary, lexicon

_SAINTS = frozenset({"st", "saint", "sts", "st.", "santa", "san"})
_WORD = r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)*"
_JOINS = r"(?:[ ]+|-|[ ]*&[ ]*|[ ]of[ ]the[ ]|[ ]of[ ])"
_PIECE = regex.compile(rf"\d+(?:st|nd|rd|th)?|{_WORD}")
_RUN = regex.compile(rf"(?P<w>{_WORD})(?:{_JOINS}(?P<w>{_WORD}))*")
_POSSESSIVE = regex.compile(r"['’][sS]$")
_ZIP = regex.compile(r"\s*\d{5}(?:[- ]?\d{4})?\s*|\s*\d{3}\s*")


_ACRONYM = regex.compile(r"(?!ST\b)[A-Z]{2,5}")
_VOWELS = frozenset("AEIOUY")


class Places:
    """The stand-ins for the places around one patient."""

    def __init__(self, draws: Draws, switches: Switches) -> None:
        self._draws, self._switches = draws, switches

    def city(self, value: str) -> str:
        """Another city, of the same region if it is a well-known one abroad."""
        key = self._mention("city", fold(value))
        abroad = next((line for line in _abroad() if fold(value) in line), None)
        new = self._draws.choose("city", key, abroad or _cities())
        return _cased(new, value.title() if len(value) < 4 else value)  # NYC, LA

    def address(self, value: str) -> str:
        """Another street with the type, the direction and the shape of the numbers."""
        return self._replaced("street", value, "streets")

    def institution(self, value: str) -> str:
        """Another hospital, firm, school or ward: the words that say its kind stay."""
        return self._replaced("place", value, "places")

    def plan_name(self, value: str) -> str:
        """A name for a health plan."""
        return _cased(self._draws.choose("plan", fold(value), pools.words("plans")), value)

    def _replaced(self, kind: str, value: str, pool: str) -> str:
        """Each run of words that is no kind becomes one name, drawn by its first word: "Red River" is "Red River Valley"."""
        pieces = list(_PIECE.finditer(value))
        lone = len(pieces) == 1
        mixed = any(c.isupper() for c in value)
        saint = False

        def name(text: str, key_word: str) -> str:
            key = self._mention(kind, fold(key_word))
            if is_acronym(text):
                return self._acronym(text, key)
            source = "saints" if saint else pool
            return _cased(self._draws.choose(kind, key, pools.words(source)), text)

        def is_acronym(text: str) -> bool:
            """In capitals among other words, or alone and not to be pronounced: UCI Medical Center, MGH."""
            return bool(_ACRONYM.fullmatch(text)) and (
                not value.isupper() or lone and sum(c in _VOWELS for c in text) < 2
            )

        out, at = [], 0
        for m in pieces:
            if m.start() < at:
                continue
            out.append(value[at : m.start()])
            at = m.end()
            text = m.group()
            if text[0].isdigit():
                out.append(self.number(text))
            elif _spoken(text):
                out.append(self._spoken(text))
            elif _stays(text, mixed) and not lone:
                out.append(text)
                saint = fold(text) in _SAINTS and kind == "place"
                continue
            else:
                whole = _RUN.match(value, m.start())
                end = m.end()
                for word in whole.spans("w")[1:] if whole else ():
                    piece = value[word[0] : word[1]]
                    if _stays(piece, mixed) or _spoken(piece):
                        break
                    end = word[1]
                if len(text) == 1:
                    out.append(self._letter(text))
                else:
                    # A possessive is part of the form: "St. Brendan's".
                    tail = (_POSSESSIVE.search(value[at:end] if end > at else text) or [""])[0]
                    out.append(name(value[m.start() : end], _POSSESSIVE.sub("", text)) + tail)
                    at = end
            saint = False
        new = "".join(out) + value[at:]
        return (
            new if new != value else _cased(self._draws.choose(kind, fold(value), pools.words(pool)), value)
        )

    def number(self, text: str) -> str:
        """A house or room number with as many digits; "5th" becomes another ordinal."""
        digits = text.rstrip("stndrh")
        low = 10 ** (len(digits) - 1) if len(digits) > 1 else 1
        span = 10 ** len(digits) - low
        new = low + self._draws.number("number", digits) % span
        if new == int(digits):
            new = low + (new - low + 1) % span
        return str(new) + (number_words.suffix(new) if len(text) > len(digits) else "")

    def _acronym(self, text: str, key: str) -> str:
        """As many other letters; an H or C at the end, for hospital or clinic, stays."""
        new = []
        for n, old in enumerate(text):
            others = [c for c in "ABCDEFGHKLMNPRSTVW" if c != old]
            new.append(others[self._draws.number("acronym", key, n) % len(others)])
        return "".join(new[:-1]) + (text[-1] if len(text) > 2 and text[-1] in "HC" else new[-1])

    def _letter(self, text: str) -> str:
        letters = [c for c in "ABCDEFGHK" if c != text.upper()]
        new = letters[self._draws.number("unit", text.upper()) % len(letters)]
        return new if text.isupper() else new.lower()

    def _spoken(self, text: str) -> str:
        low = text.lower()
        group = [
            w for w in (number_words.TENS if low in number_words.TENS else number_words.ONES[1:]) if w != low
        ]
        return _cased(group[self._draws.number("number", low) % len(group)], text)

    def _mention(self, kind: str, value: str) -> str:
        self._switches.mention(f"{kind}\x1f{value}")
        return self._switches.key(f"{kind}\x1f{value}", value)


def zip_area(value: str, restricted: Collection[str]) -> str | None:
    """A ZIP code cut to its area of three digits, zeros after it: "87104" is "87100", "05901" (too few people) "00000".

    Nothing for what is no ZIP code. 45 CFR 164.514(b)(2)(i)(B).
    """
    if not _ZIP.fullmatch(value):
        return None
    area = value.strip()[:3]
    return ("000" if area in restricted else area) + "00"


def _stays(word: str, mixed: bool) -> bool:
    return fold(word) in pools.word_set("kinds") or (mixed and word[0].islower() and is_ordinary(word))


def _spoken(word: str) -> bool:
    return word.lower() in number_words.TENS or word.lower() in number_words.ONES


@cache
def _abroad() -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(city.replace("-", " ") for city in line.split()) for line in pools.lines("world_cities")
    )


@cache
def _cities() -> tuple[str, ...]:
    """Cities of the United States that are one word, long enough, and no ordinary word."""
    abroad = {city for line in _abroad() for city in line}
    return tuple(
        sorted(
            c
            for c in lexicon("cities")
            if " " not in c and len(c) > 4 and not is_ordinary(c) and c not in abroad
        )
    )


def _cased(new: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return new.upper()
    return new.lower() if like.islower() else " ".join(w[:1].upper() + w[1:] for w in new.split())
