"""Sentences of a text, and in a conversation what became of the questions."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from preceptor.evaluation.clinical.context import ABSENT, PRESENT
from preceptor.evaluation.clinical.tokens import Token

ASKED = "asked"  # a problem that was asked about, without an answer that says yes or no
_TURN = re.compile(
    r"^[ \t]*\[?(?:doctor|dr|patient|pt|clinician|provider|nurse|physician|therapist|counsell?or|client|guest_family|guest_clinician|guest|mother|father|caregiver)\b[\w .]{0,20}\]?[ \t]*[:\]]",
    re.I | re.M,
)
_END = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)|\n+|;")
_ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|St|[Vv]s|[Aa]pprox|e\.g|i\.e|[Hh]x|[Pp]t)|\b[A-Z])\.$")
_NO = re.compile(
    r"(?:\w+[, ]+){0,2}?(?:no|nope|nah|not|never|none|neither|negative|nothing)\b|.{0,60}?\b(?:i|she|he|they) (?:don't|haven't|didn't|doesn't|hasn't|do n't|have n't|did n't|does n't|has n't|do not|have not|can't say)\b",
    re.I | re.S,
)
_YET_NO = re.compile(r"[,.]? (?:no|not|none)\b", re.I)
_YES = re.compile(
    r"(?:(?:oh|um|uh|well|actually|mm|hm)[, ]+){0,2}(?:yes|yeah|yep|yup|yea|uh huh|uh-huh|mhm|mm-hmm|mm-hm|correct|right|sure|definitely|exactly|absolutely|sometimes|a little|a bit|occasionally|once in a while|that's right|of course|unfortunately|(?:i do|i have|i am|he does|she does|he has|she has|it is|it does|i did|i had)(?=[.,!]|$))\b",
    re.I,
)


def sentences(text: str, tokens: Sequence[Token]) -> Iterator[tuple[int, int, str | None]]:
    """Yield the sentences as places of tokens, `first` to `last` (not included), and for a question what its answer says of
    the problems in it: present, absent or asked. None for what is no question."""
    starts = [token.start for token in tokens]
    turns = [match.end() for match in _TURN.finditer(text)]
    spoken = is_spoken(text)
    begin = 0
    for end in (*_ends(text), len(text)):
        first, last = bisect_left(starts, begin), bisect_left(starts, end)
        if first < last:
            question = text[begin:end].rstrip("\"') \n").endswith("?")
            yield first, last, (_reply(text, turns, end) if spoken else ASKED) if question else None
        begin = end


def is_spoken(text: str) -> bool:
    """Whether a text is a conversation: it has at least two turns."""
    return len(_TURN.findall(text)) > 1


def _ends(text: str) -> Iterator[int]:
    for match in _END.finditer(text):
        if match[0][0] == "." and _ABBREVIATION.search(text, max(0, match.start() - 8), match.start() + 1):
            continue
        yield match.end()


def _reply(text: str, turns: Sequence[int], place: int) -> str:
    """Read the beginning of the next turn: yes, no, or neither."""
    following = next((turn for turn in turns if turn > place), None)
    if following is None:
        return ASKED
    said = text[following : following + 120].lstrip()
    if yes := _YES.match(said):
        return ABSENT if _YET_NO.match(said, yes.end()) else PRESENT  # "No fever, right?" "Yeah, no fever."
    return ABSENT if _NO.match(said) else ASKED
