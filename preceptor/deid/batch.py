"""De-identifying documents with their labels, patient by patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from preceptor.deid import groups
from preceptor.deid.engine import Deidentifier, Scrubbed
from preceptor.deid.leakcheck import FAILED, Leak, leaks
from preceptor.errors import PreceptorError
from preceptor.progress import Progress, silent
from preceptor.records import Document, Labels, PatientRecord, Span


@dataclass(frozen=True, slots=True)
class DeidResult:
    """One document without identifiers. `spans` are offsets in the original, `leaks` in `text`; `moves` as `Scrubbed` has them."""

    document_ref: str
    patient_ref: str
    note_type: str
    specialty: str
    encounter: str | None
    format: str
    text: str
    codes: dict[str, list[str]]
    reference_summary: str | None
    differential: tuple[dict[str, Any], ...]
    spans: list[Span]
    leaks: list[Leak]
    moves: tuple[tuple[int, int, int, int], ...] = ()
    sex: str | None = None
    age_band: str | None = None
    author_role: str | None = None
    year: str | None = None


def scrub_documents(
    documents: Iterable[Document],
    records: Mapping[str, PatientRecord],
    deidentifier: Deidentifier,
    on_progress: Progress = silent,
) -> Iterator[DeidResult]:
    """Yield a result for each document, patients in order of their reference.

    Where de-identifying a patient's documents breaks off, they come without text and with a leak of the rule `failed`.
    A quotation (evidence, differential) found in the note becomes the same stretch of the scrubbed note.
    """
    done = 0
    ordered = sorted(documents, key=lambda d: (d.patient_ref, d.document_ref))
    for patient_ref, group in groupby(ordered, key=lambda d: d.patient_ref):
        notes = list(group)
        record = records.get(patient_ref)
        free = [text for note in notes for text in (*_free_texts(note.labels), *groups.whole_date(note))]
        try:
            scrubbed = deidentifier.scrub_patient(patient_ref, [*(n.text for n in notes), *free], record)
        except PreceptorError:  # a setting is wrong, for every document
            raise
        except Exception:  # noqa: BLE001 - whatever a text does to us, the other patients go on
            for note in notes:
                yield _failed(note)
                done += 1
            on_progress(done, len(ordered))
            continue
        said = dict(zip(free, scrubbed[len(notes) :], strict=True))
        identifiers = {
            (s.type, n.text[s.start : s.end])
            for n, out in zip(notes, scrubbed, strict=False)
            for s in out.spans
        }
        for note, out in zip(notes, scrubbed, strict=False):
            labels = _relabelled(note, out, said)
            yield DeidResult(
                note.document_ref,
                patient_ref,
                note.note_type,
                note.specialty,
                note.encounter,
                note.format,
                out.text,
                labels.codes,
                labels.reference_summary,
                labels.differential,
                out.spans,
                leaks(identifiers, record, note.text, out.text, out.moves),
                out.moves,
                groups.sex(record),
                groups.age_band(record, note),
                groups.author_role(note),
                groups.year(note, {date: said[date].text for date in groups.whole_date(note)}),
            )
            done += 1
            on_progress(done, len(ordered))


def _failed(note: Document) -> DeidResult:
    """No text and no label: it is withheld under a rule of its own, and stays in the vault."""
    return DeidResult(
        note.document_ref, note.patient_ref, note.note_type, note.specialty, note.encounter, note.format, "", {}, None,
        (), [], [Leak(FAILED, "IDNUM", 0, 0)],
    )  # fmt: skip


def _free_texts(labels: Labels) -> Iterator[str]:
    if labels.reference_summary:
        yield labels.reference_summary
    for quotes in labels.codes.values():
        yield from quotes
    for entry in labels.differential:
        yield from (text for key in ("for", "against") for text in entry.get(key, []))
        yield str(entry.get("diagnosis", ""))


def _relabelled(note: Document, out: Scrubbed, said: dict[str, Scrubbed]) -> Labels:
    def quoted(text: str) -> str:
        at = note.text.find(text)
        if text and at >= 0:
            return out.text[out.position(at) : out.position(at + len(text), end=True)]
        return said[text].text

    old = note.labels
    differential = tuple(
        {
            **entry,
            "diagnosis": said[str(entry.get("diagnosis", ""))].text,
            **{k: [quoted(t) for t in entry.get(k, [])] for k in ("for", "against")},
        }
        for entry in old.differential
    )
    summary = said[old.reference_summary].text if old.reference_summary else old.reference_summary
    return replace(
        old,
        codes={code: [quoted(q) for q in quotes] for code, quotes in old.codes.items()},
        reference_summary=summary,
        differential=differential,
    )
