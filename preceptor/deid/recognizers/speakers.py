"""Names of those who speak in a transcript: `NEELY: Not today.`"""

from __future__ import annotations

from collections import Counter

import regex

from preceptor.deid.recognizers.rule import Recognizer
from preceptor.deid.tokens import fold
from preceptor.deid.words import clinical_words, is_english, lexicon, name_rank
from preceptor.records import Span

_TURN = regex.compile(
    r"^[ \t]*(?:\[[\d:]+\][ \t]*)?(?:(?:DR|Dr|MR|Mr|MRS|Mrs|MS|Ms)\.? )?(?P<v>\p{L}[\p{L}.'’-]*(?: \p{L}[\p{L}.'’-]*){0,2})[ \t]*(?:\([^)\n]{1,20}\))?[ \t]*:(?![ \t]*[\d<>=(+-])",
    regex.M,
)
_MOST_SPEAKERS = 6
_RANK_OF_A_NAME = 6000  # in the census
_FEWEST_TURNS = 6
_SHARE_OF_LINES = 0.4
_ROLES = frozenset(
    "client therapist patient doctor clinician counselor counsellor interviewer interpreter speaker provider nurse parent "
    "mom mother dad father c t p q a d pt dr np md rn pa sw ic th cl int".split()
)


class SpeakerRecognizer(Recognizer):
    """PATIENT for every speaker's label that is no role, in a text that is mostly turns of a few speakers."""

    ENTITIES = ("PATIENT",)

    def find(self, text: str) -> list[Span]:
        turns = list(_TURN.finditer(text))
        if len(turns) < _FEWEST_TURNS:
            return []
        often = Counter(fold(m["v"]) for m in turns)
        speakers = {label for label, n in often.items() if n > 1}
        said = [m for m in turns if fold(m["v"]) in speakers]
        lines = sum(1 for line in text.split("\n") if line.strip())
        if len(said) < max(_FEWEST_TURNS, _SHARE_OF_LINES * lines) or len(speakers) > _MOST_SPEAKERS:
            return []
        return [
            Span(m.start("v"), m.end("v"), "PATIENT", 0.8, f"{self.name}.turn")
            for m in said
            if not all(_is_role(word) for word in m["v"].split())
        ]


def _is_role(word: str) -> bool:
    low = fold(word).strip(".")
    return (
        low in _ROLES
        or low in lexicon("relations")
        or low in lexicon("staff")
        or low in lexicon("credentials")
        or low in clinical_words()
        or (is_english(low) and low not in lexicon("word_names") and name_rank(low) > _RANK_OF_A_NAME)
    )
