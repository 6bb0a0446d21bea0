"""A use case that a hospital declares in YAML: which document or section is the input, and which the reference.

input: {note_types: [dialogue]}               # a whole document …
reference: {label: summary}                   # … and what was written beside it

input: {note_types: [radiology report], sections: [findings]}
reference: {sections: [impression]}           # of the same document, which is then shown without it

input: {note_types: [hospital course, progress note]}
reference: {note_types: [discharge summary]}  # another document of the same encounter
"""

from __future__ import annotations

from preceptor.curation.sections import named
from preceptor.curation.tasks import coding, differential
from preceptor.curation.tasks.base import Label, Pair, Part, Shelf, UseCase
from preceptor.records import DeidentifiedDocument


def pair(use_case: UseCase, document: DeidentifiedDocument, shelf: Shelf) -> Pair | None:
    """The pair that starts from `document` as the input; None where a part is missing.

    A reference of other note types is looked for in the encounter; where it has several, there is none: which of
    them belongs to the input cannot be told.
    """
    wanted, reference = use_case.input, use_case.reference
    if wanted is None or reference is None or not _is_of(document, wanted):
        return None
    if reference.label:
        source, answer = _text(document, wanted), _label(document, reference.label)
        return Pair(source, answer, reference.label, (document,)) if source and answer else None
    if reference.note_types:
        others = [d for d in shelf.same_encounter(document) if _is_of(d, reference)]
        if len(others) != 1:
            return None
        source, answer = _text(document, wanted), _text(others[0], reference)
        return Pair(source, answer, others[0].note_type, (document, others[0])) if source and answer else None
    section = named(document.text, reference.sections)
    if section is None:
        return None
    shown = document.text[: section.start] + document.text[section.end :]
    source = _text(document, wanted) if wanted.sections else shown.strip()
    return Pair(source, section.body, section.title, (document,)) if source else None


def _is_of(document: DeidentifiedDocument, part: Part) -> bool:
    return not part.note_types or document.note_type in {kind.lower() for kind in part.note_types}


def _text(document: DeidentifiedDocument, part: Part) -> str:
    if not part.sections:
        return document.text.strip()
    section = named(document.text, part.sections)
    return section.body if section else ""


def _label(document: DeidentifiedDocument, label: Label) -> str:
    if label == "summary":
        return document.labels.reference_summary or ""
    return (coding if label == "codes" else differential).answer(document) or ""
