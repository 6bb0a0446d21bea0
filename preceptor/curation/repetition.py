"""What a note repeats: of the same patient's other notes (copy-forward), and of many patients' (boilerplate).

Half of the text of real notes is copied from earlier ones (Steinkamp et al., JAMA Netw Open 2022;5(9):e2233348). Trained on,
it teaches to copy; measured by paragraph, it can be told from what is new.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator

from preceptor.records import DeidentifiedDocument

_SHORT = 40  # characters; a shorter line is a title or a value, and alike by chance
_MANY = 5  # patients at least whose notes have a paragraph that counts as boilerplate …
_OFTEN = 0.05  # … and at least this share of all patients


class Repetition:
    """The paragraphs of all documents, by whose they are. Holds hashes, no text.

    Of a patient's notes with the same paragraph the first, in the order of `documents`, counts as its origin.
    """

    def __init__(self, documents: Iterable[DeidentifiedDocument]) -> None:
        self._origin: dict[tuple[str, bytes], str] = {}
        whose: dict[bytes, set[str]] = defaultdict(set)
        patients: set[str] = set()
        for document in documents:
            patients.add(document.patient_ref)
            for mark, _ in _paragraphs(document.text):
                self._origin.setdefault((document.patient_ref, mark), document.document_ref)
                whose[mark].add(document.patient_ref)
        many = max(_MANY, _OFTEN * len(patients))
        self._boilerplate = {mark for mark, of in whose.items() if len(of) >= many}

    def copied(self, text: str, patient_ref: str, document_refs: Collection[str]) -> float:
        """The share of a text, by characters, whose paragraphs the patient's notes other than these had before."""

        def elsewhere(mark: bytes) -> bool:
            origin = self._origin.get((patient_ref, mark))
            return origin is not None and origin not in document_refs

        return _share(text, elsewhere)

    def boilerplate(self, text: str) -> float:
        """The share of a text, by characters, whose paragraphs stand in the notes of many patients."""
        return _share(text, self._boilerplate.__contains__)


def _share(text: str, counts: Callable[[bytes], bool]) -> float:
    found = list(_paragraphs(text))
    total = sum(length for _, length in found)
    return sum(length for mark, length in found if counts(mark)) / total if total else 0.0


def _paragraphs(text: str) -> Iterator[tuple[bytes, int]]:
    """Hash and length of each line that is long enough to be told by, numbers and blanks apart; each once."""
    seen = set()
    for line in text.splitlines():
        plain = re.sub(r"\b\d[\d./:-]*\b|[\W_]+", " ", line.lower()).strip()
        if len(plain) < _SHORT:
            continue
        mark = hashlib.blake2b(plain.encode(), digest_size=8).digest()
        if mark not in seen:
            seen.add(mark)
            yield mark, len(line)
