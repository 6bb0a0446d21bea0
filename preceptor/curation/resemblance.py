"""Which texts say nearly the same in other words, by word vectors (`preceptor.sif`): what runs of words cannot see.

It is coarse: docs/curation.md has what it was measured to find.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from preceptor.sif import FEW, Sif, words

_MARK = re.compile(r"\w*\d[\w.,/]*\b")  # numbers, and what has a digit: vectors do not know them
_MARKS_SHARED = 0.5  # of those of the text that has fewer, where it has three: the same form, other values, is another case
_FEWEST = 40  # words; two short texts are alike by their topic
_BLOCK = 512  # texts
_SAMPLE = 5000  # texts of the corpus, evenly: enough to know what is frequent and what is shared


class Resemblance:
    """Held-out texts against which others are held; `corpus` says which words, and what beside them, all texts share. With
    fewer than 16 texts of 40 words in it nothing is found."""

    def __init__(self, held_out: Iterable[str], corpus: Iterable[str], threshold: float) -> None:
        self._threshold = threshold
        wanted = [text for text in held_out if threshold <= 1 and len(words(text)) >= _FEWEST]
        texts = [text for text in corpus if len(words(text)) >= _FEWEST] if wanted else []
        texts = texts[:: len(texts) // _SAMPLE + 1]
        if len(texts) < FEW:
            wanted = []
        self._sif = Sif([words(text) for text in texts])
        self._held_out = self._sif.units([words(text) for text in wanted])
        self._marks = [_marks(text) for text in wanted]

    def find(self, texts: Sequence[Sequence[str]]) -> list[bool]:
        """For each text whether a part of it, source or answer, is like a held-out text and has half of its numbers.

        A block at a time: one by one, all held-out vectors would be read anew for each; all at once, the words of every text
        would lie in memory.
        """
        found = [False] * len(texts)
        if not len(self._held_out):
            return found
        parts = (
            (number, part, said)
            for number, text in enumerate(texts)
            for part in text
            if len(said := words(part)) >= _FEWEST
        )
        while block := list(islice(parts, _BLOCK)):
            cosines = self._sif.units([said for _, _, said in block]) @ self._held_out.T
            for row, place in np.argwhere(cosines >= self._threshold):
                number, part, _ = block[row]
                found[number] = found[number] or _share_marks(_marks(part), self._marks[place])
        return found


def _marks(text: str) -> frozenset[str]:
    return frozenset(_MARK.findall(text.lower()))


def _share_marks(a: frozenset[str], b: frozenset[str]) -> bool:
    fewer = min(len(a), len(b))
    return fewer < 3 or len(a & b) >= _MARKS_SHARED * fewer
