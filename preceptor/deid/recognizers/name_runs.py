"""How far a name reaches from a place where one is expected.

A run walks word by word: name words (capitalised, or known names where a note is all capitals or all small letters),
initials, particles ("de la", "St."), hyphens, a comma before a first name ("Lee, Ann") and suffixes ("III").
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from preceptor.deid.recognizers.dates import MONTHS, WEEKDAYS
from preceptor.deid.tokens import Token, fold
from preceptor.deid.words import (
    clinical_words,
    first_name_rank,
    is_ordinary,
    lexicon,
    name_rank,
    surname_rank,
)

_PARTICLES = frozenset(
    "de la del der den van von bin ibn al el da dos das di du le st saint ter ten abu mac mc".split()
)
_SUFFIXES = frozenset("jr sr ii iii iv".split())
_CALENDAR = frozenset(MONTHS + WEEKDAYS) - {"april", "may", "june", "august"}
_KNOWN_RANK = 10**5


@lru_cache(maxsize=100_000)
def is_known_name(word: str) -> bool:
    """Whether the census knows the word as a name."""
    return name_rank(word) < 10**6


@lru_cache(maxsize=100_000)
def is_never_name(word: str) -> bool:
    """Words that end a run: headings, calendar, clinical vocabulary that nobody is called."""
    low = fold(word)
    if low in _CALENDAR:
        return True
    if low in lexicon("note_words") | lexicon("credentials"):
        return not (low in lexicon("word_names") or surname_rank(low) < 1000 and low not in ("may", "page"))
    return low in clinical_words() and name_rank(low) >= _RANK_PLAUSIBLE


_RANK_PLAUSIBLE = 20_000


def _fits(token: Token, style: str, position: int, sure: bool) -> bool:
    """Whether a word can stand at `position` of a name (0 the first) in a note of this case style."""
    word = token.text
    if len(word) == 1:
        return token.is_capitalised and style != "lower"
    if is_never_name(word):
        return position == 0 and sure and fold(word) not in lexicon("note_words") and token.is_capitalised
    if style == "mixed":
        if not token.is_capitalised:
            return False
        return not (token.is_upper and len(word) > 1 and is_ordinary(word) and not is_known_name(word))
    if position == 0 and sure:
        return not _is_small(word)
    if is_ordinary(word):
        return (
            fold(word) in lexicon("word_names")
            and position > 0
            and style == "upper"
            and word.lower() not in _AMBIGUOUS
        )
    return is_known_name(word) or position == 0 or style == "upper"


# Words of running text that are names too seldom to be taken for one in a note without case.
_AMBIGUOUS = frozenset(
    "will may can early well still self now down up short long low high clear case cash fine see hand head chest".split()
)


def _is_small(word: str) -> bool:
    return (
        fold(word)
        in (
            "a an the is was were are be been has had have who whom which that this at in on to for of and or with by from as it he "
            "she they his her their my your our not no if but so then when after before about says said told states will would "
            "reports also can could did does do says came comes lives took takes called calls asks asked"
        ).split()
    )


def run_forward(
    tokens: Sequence[Token],
    start: int,
    style: str,
    *,
    sure: bool = False,
    longest: int = 4,
    comma: bool = False,
) -> int:
    """The index one past the last token of a name that begins at `start`; `start` itself if none does.

    `sure` says that the cue leaves hardly a doubt ("Dr."); with `comma`, "LAST, FIRST" is read as one name.
    """
    at, words, end = start, 0, start
    commas = 0
    while at < len(tokens) and words < longest:
        token = tokens[at]
        if at > start and token.start - tokens[at - 1].end > 1:
            break
        glued = at > start and token.start == tokens[at - 1].end
        if token.is_word:
            low = fold(token.text)
            if at > start and low in _SUFFIXES:
                end = at + 1
                break
            if (
                low in _PARTICLES
                and _particle_leads(tokens, at, style)
                and not (style == "mixed" and low in ("st", "saint") and not token.is_capitalised)
            ):
                at += 1
                continue
            after_hyphen = at > start and tokens[at - 1].text == "-"
            if not _fits(token, style, 0 if words == 0 else 1, sure or after_hyphen):
                break
            if (
                style == "mixed"
                and words > 0
                and not after_hyphen
                and not commas
                and token.is_upper
                and len(token.text) > 2
                and not tokens[start].is_upper
            ):
                break
            words += 1
            at += 1
            end = at
        elif (
            token.text == "."
            and glued
            and at > start
            and (len(tokens[at - 1].text) == 1 or fold(tokens[at - 1].text) in ("st", "jr", "sr"))
        ):
            at += 1
            if len(tokens[at - 2].text) == 1:
                end = at
        elif (
            token.text == "-"
            and glued
            and at + 1 < len(tokens)
            and tokens[at + 1].start == token.end
            and tokens[at + 1].is_word
        ):
            at += 1
        elif token.text == "," and comma and words and not commas and at + 1 < len(tokens):
            commas += 1
            following = tokens[at + 1]
            if (
                not following.is_word
                or following.start - token.end > 1
                or fold(following.text) in lexicon("credentials")
                and first_name_rank(following.text) > 2000
            ):
                break
            if len(following.text) > 1 and is_ordinary(following.text) and not is_known_name(following.text):
                break
            if style == "mixed" and not following.is_capitalised:
                break
            at += 1
        elif (
            token.text in '"“('
            and words
            and at + 2 < len(tokens)
            and tokens[at + 1].is_word
            and tokens[at + 2].text in '"”)'
            and token.text != "("
        ):
            at += 3
            end = at
        else:
            break
    return end


def _particle_leads(tokens: Sequence[Token], at: int, style: str) -> bool:
    """Whether a particle is followed, within two words, by a name word."""
    for ahead in range(at + 1, min(at + 4, len(tokens))):
        token = tokens[ahead]
        if token.text in ".-":
            continue
        if not token.is_word:
            return False
        if fold(token.text) in _PARTICLES:
            continue
        return (
            token.is_capitalised
            if style != "lower"
            else is_known_name(token.text) and not is_ordinary(token.text)
        )
    return False


def run_backward(tokens: Sequence[Token], end: int, style: str, *, longest: int = 4) -> int:
    """The index of the first token of a name that ends just before `end`; `end` itself if none does."""
    at, words, start = end - 1, 0, end
    while at >= 0 and words < longest:
        token = tokens[at]
        gap = tokens[at + 1].start - token.end if at + 1 < len(tokens) else 0
        if at < end - 1 and gap > 1:
            break
        if token.is_word:
            low = fold(token.text)
            if low in _SUFFIXES and words == 0:
                at -= 1
                continue
            if low in _PARTICLES and words and low not in ("st", "saint"):
                at -= 1
                start = at + 1
                continue
            before_hyphen = at + 1 < end and tokens[at + 1].text == "-" and tokens[at + 1].start == token.end
            if low in ("dr", "mr", "mrs", "ms") or not _fits(
                token, style, 0 if words == 0 else 1, before_hyphen or (words == 0 and style == "mixed")
            ):
                break
            if style == "mixed" and words == 0 and len(token.text) == 1:
                break
            words += 1
            start = at
            at -= 1
        elif (
            token.text == "."
            and at > 0
            and tokens[at - 1].is_word
            and tokens[at - 1].end == token.start
            and (len(tokens[at - 1].text) == 1 or fold(tokens[at - 1].text) in ("st", "jr", "sr"))
            or token.text == "-"
            and words
            and at > 0
            and tokens[at - 1].end == token.start
            and tokens[at - 1].is_word
            or token.text == ","
            and at > 0
            and tokens[at - 1].is_word
            and words
            and tokens[at - 1].end == token.start
            and (
                is_known_name(tokens[at - 1].text)
                and not is_ordinary(tokens[at - 1].text)
                or tokens[at - 1].is_upper
                and style == "mixed"
            )
        ):
            at -= 1
        else:
            break
    return start
