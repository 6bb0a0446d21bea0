"""FHIR R4 as JSON: a Bundle, a bulk export (one resource a line) or a single resource.

Documents are DocumentReference and DiagnosticReport attachments, Composition narratives and Binaries that
nothing refers to. Source of the element names: HL7 FHIR R4 (4.0.1).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

from preceptor.documents import people
from preceptor.documents.errors import UnreadableFile, unreadable
from preceptor.documents.fhir_document import describe
from preceptor.documents.fhir_elements import Resource, Resources, element, elements, elements_if_any, string
from preceptor.documents.fhir_record import patient_record, unknown_patient
from preceptor.documents.markup import flow, parse_html
from preceptor.documents.text import decode, tidy
from preceptor.records import ParsedDocument, ParsedFile, PatientRecord, RefusedPart

ReadInner = Callable[[bytes], ParsedFile]
_DOCUMENTS = ("DocumentReference", "Composition", "DiagnosticReport")
# The same report is often attached in several formats: the one that loses least comes first.
_PREFERRED = ("text/plain", "text/html", "application/xhtml", "text/rtf", "application/rtf", "xml", "")


def read(data: bytes, read_inner: ReadInner) -> ParsedFile:
    """Return every document of a FHIR file with its patient, and the patients that no document is about.

    A patient counts with an identifier, or with a name and an id. An entry or line that cannot be read is a refused
    part. Raises `UnreadableFile` if nothing could be read: the rule of the first refused part (`json-corrupt`,
    `json-unknown`, `fhir-attachment`: a link to elsewhere, or unreadable), or `fhir-no-document`.
    """
    try:
        tops, refused = _load(data)
        exports = [_Export(Resources(top), read_inner) for top in _apart(tops)]
        for export in exports:
            export.read()
    except RecursionError:
        raise unreadable("json-corrupt") from None
    documents = tuple(d for export in exports for d in export.documents)
    patients = tuple(p for export in exports for p in export.alone)
    refused += [part for export in exports for part in export.resources.refused]
    if not documents and not patients:
        raise unreadable(refused[0].rule if refused else "fhir-no-document")
    return ParsedFile(documents, patients, tuple(refused))


def _load(data: bytes) -> tuple[list[tuple[str, Any]], list[RefusedPart]]:
    """The resources at the top of a file with their places, and the lines of a bulk export that are no JSON."""
    text = decode(data).lstrip("\ufeff")
    try:
        loaded = json.loads(text)
    except ValueError:
        return _lines(text)
    if isinstance(loaded, list):
        return [(f"entry {n}", resource) for n, resource in enumerate(loaded, 1)], []
    return [("", loaded)], []


def _lines(text: str) -> tuple[list[tuple[str, Any]], list[RefusedPart]]:
    tops: list[tuple[str, Any]] = []
    refused = []
    for n, line in enumerate(text.split("\n"), 1):
        try:
            tops += [(f"line {n}", json.loads(line))] if line.strip() else []
        except (ValueError, RecursionError):
            refused.append(RefusedPart(f"line {n}", "json-corrupt", line.encode("utf-8", "replace")))
    return tops, refused


def _apart(tops: list[tuple[str, Any]]) -> list[list[tuple[str, Any]]]:
    """Several bundles of one file may use the same ids for different people: each is an export of its own."""
    bundles = [[top] for top in tops if isinstance(top[1], dict) and top[1].get("resourceType") == "Bundle"]
    loose = [top for top in tops if [top] not in bundles] if len(bundles) < len(tops) else []
    return bundles + ([loose] if loose else [])


class _Export:
    """Resources that refer to each other, and what has been read out of them so far."""

    def __init__(self, resources: Resources, read_inner: ReadInner) -> None:
        self.resources = resources
        self.documents: list[ParsedDocument] = []
        self.alone: list[PatientRecord] = []  # patients that no document is about
        self._read_inner = read_inner
        self._records: dict[int, PatientRecord] = {}
        self._attached: set[int] = set()  # Binaries that something refers to
        self._with_documents: set[int] = set()

    def read(self) -> None:
        """Fill `documents` and `alone`; what cannot be read is among the refused parts of `resources`."""
        for patient in self.resources.of_type("Patient"):
            try:
                self._records[id(patient)] = patient_record(patient, self.resources)
            except UnreadableFile as error:
                self.resources.refuse(patient, error.rule)
        found = self.resources.of_type(*_DOCUMENTS)
        for resource in found:
            self._read_or_refuse(resource, alone=len(found) == 1)
        for binary in self.resources.of_type("Binary"):
            if id(binary) not in self._attached:
                self._read_or_refuse(binary, alone=False)
        for patient in self.resources.of_type("Patient"):
            record = self._records[id(patient)]
            numbers = set(record.identifiers) - {"fhir id"}
            known = numbers or (record.patient_id and record.names)
            if known and id(patient) not in self._with_documents:
                self.alone.append(record)

    def _read_or_refuse(self, resource: Resource, alone: bool) -> None:
        try:
            inner = self._content(resource)
            if not any(d.text.strip() for d in inner.documents):
                return
            subject, record = self._subject(resource)
            document = describe(_joined(inner), resource, subject, record, self.resources, alone)
            self.documents.append(people.absorb(document, inner))
            if subject is not None:
                self._with_documents.add(id(subject))
        except UnreadableFile as error:
            self.resources.refuse(resource, error.rule)

    def _subject(self, resource: Resource) -> tuple[Resource | None, PatientRecord | None]:
        """The Patient that a document is about and its record. Raises `json-unknown` if that could not be read:
        the document would go on without the names that must be found in it."""
        reference = next(
            (r for key in ("subject", "securityContext") for r in elements_if_any(resource, key)), {}
        )
        patient = self.resources.follow(reference)
        if patient is None or patient["resourceType"] != "Patient":
            return None, unknown_patient(reference) if patient is None else None
        if self.resources.is_refused(patient):
            raise unreadable("json-unknown")
        return patient, self._records[id(patient)]

    def _content(self, resource: Resource) -> ParsedFile:
        kind = resource["resourceType"]
        if kind == "Composition":
            sections = list(_sections(elements(resource, "section"))) or [_narrative(resource)]
            return _as_file("\n\n".join(sections))
        if kind == "Binary":
            return self._first_readable([resource])
        if kind == "DocumentReference":
            attachments = [element(c, "attachment") for c in elements(resource, "content")]
        else:
            attachments = elements(resource, "presentedForm")
        if attachments:
            return self._first_readable(attachments)
        return _as_file(_report(resource) if kind == "DiagnosticReport" else "")

    def _first_readable(self, attachments: list[Resource]) -> ParsedFile:
        """What is in the first readable one of several formats of one document."""

        def preference(attachment: Resource) -> int:
            kind = string(attachment, "contentType")
            return next(n for n, preferred in enumerate(_PREFERRED) if preferred in kind)

        for attachment in sorted(attachments, key=preference):
            holder = attachment
            if not string(holder, "data") and string(holder, "url"):
                binary = self.resources.find(string(holder, "url"))
                if binary is None or self.resources.is_refused(binary):
                    continue
                self._attached.add(id(binary))
                holder = binary
            try:
                return self._read_inner(
                    base64.b64decode("".join(string(holder, "data").split()), validate=True)
                )
            except (UnreadableFile, ValueError):
                continue
        raise unreadable("fhir-attachment")


def _as_file(text: str) -> ParsedFile:
    return ParsedFile((ParsedDocument(tidy(text)),))


def _joined(inner: ParsedFile) -> str:
    return "\n\n".join(document.text for document in inner.documents)


def _sections(sections: list[Resource]) -> Iterator[str]:
    for section in sections:
        yield "\n".join(part for part in (string(section, "title"), _narrative(section)) if part.strip())
        yield from _sections(elements(section, "section"))


def _narrative(holder: Resource) -> str:
    div = string(element(holder, "text"), "div")
    return flow(parse_html(div.encode("utf-8", "replace"))) if div.strip() else ""


def _report(report: Resource) -> str:
    """The narrative of a DiagnosticReport, and its conclusion where that is not in it."""
    narrative, conclusion = _narrative(report), string(report, "conclusion")
    said = " ".join(conclusion.split()) in " ".join(narrative.split())
    return "\n".join(part for part in (narrative, "" if said else conclusion) if part)
