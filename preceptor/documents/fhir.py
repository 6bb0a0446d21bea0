"""FHIR R4 as JSON: a Bundle, a bulk export (one resource a line) or a single resource.

Documents are DocumentReference and DiagnosticReport attachments, Composition narratives and Binaries that
nothing refers to. Source of the element names: HL7 FHIR R4 (4.0.1).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

from preceptor.documents.errors import UnreadableFile, unreadable
from preceptor.documents.fhir_record import Resources, coded, patient_record, refer, words
from preceptor.documents.markup import flow, parse_html
from preceptor.documents.people import note_type, specialty
from preceptor.documents.text import decode, tidy
from preceptor.records import ParsedDocument, ParsedFile, PatientRecord

ReadInner = Callable[[bytes], ParsedFile]
_DOCUMENTS = ("DocumentReference", "Composition", "DiagnosticReport")
# The same report is often attached in several formats: the one that loses least comes first.
_PREFERRED = ("text/plain", "text/html", "application/xhtml", "text/rtf", "application/rtf", "xml", "")
_ICD10 = (
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://hl7.org/fhir/sid/icd-10",
    "urn:oid:2.16.840.1.113883.6.90",
)


def read(data: bytes, read_inner: ReadInner) -> ParsedFile:
    """Return every document of a FHIR file with its patient, encounter and ICD-10 codes.

    Raises `UnreadableFile`: `fhir-no-document`, `fhir-attachment` (a link to elsewhere, or unreadable),
    `json-corrupt`, `json-unknown`.
    """
    resources = Resources(_load(data))
    found = [r for r in resources.all if r["resourceType"] in _DOCUMENTS]
    referred: set[int] = set()
    documents = []
    try:
        for resource in found:
            text = _text(resource, resources, read_inner, referred)
            if text.strip():
                documents.append(_document(text, resource, resources, alone=len(found) == 1))
        for binary in resources.all:
            if binary["resourceType"] == "Binary" and id(binary) not in referred:
                documents.append(ParsedDocument(_attached([binary], resources, read_inner, referred)))
    except (AttributeError, TypeError, KeyError):  # an element of another type than FHIR gives it
        raise unreadable("json-unknown") from None
    if not documents:
        raise unreadable("fhir-no-document")
    return ParsedFile(tuple(documents))


def _load(data: bytes) -> list[dict[str, Any]]:
    text = decode(data).lstrip("\ufeff")
    try:
        try:
            loaded = json.loads(text)
        except ValueError:
            loaded = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        raise unreadable("json-corrupt") from None
    top = loaded if isinstance(loaded, list) else [loaded]
    if not all(isinstance(r, dict) and isinstance(r.get("resourceType"), str) for r in top):
        raise unreadable("json-unknown")
    return top


def _text(resource: dict[str, Any], resources: Resources, read_inner: ReadInner, referred: set[int]) -> str:
    if resource["resourceType"] == "Composition":
        return tidy("\n\n".join(_sections(resource.get("section") or [], resources)))
    if resource["resourceType"] == "DocumentReference":
        attachments = [content["attachment"] for content in resource.get("content") or []]
    else:
        attachments = resource.get("presentedForm") or []
    if attachments:
        return _attached(attachments, resources, read_inner, referred)
    return tidy(_narrative(resource)) if resource["resourceType"] == "DiagnosticReport" else ""


def _sections(sections: list[dict[str, Any]], resources: Resources) -> Iterator[str]:
    for section in sections:
        yield "\n".join(part for part in (section.get("title") or "", _narrative(section)) if part.strip())
        yield from _sections(section.get("section") or [], resources)


def _narrative(holder: dict[str, Any]) -> str:
    div = (holder.get("text") or {}).get("div")
    return flow(parse_html(div.encode())) if div else ""


def _attached(
    attachments: list[dict[str, Any]], resources: Resources, read_inner: ReadInner, referred: set[int]
) -> str:
    """The text of the first readable one of several formats of one document."""

    def preference(attachment: dict[str, Any]) -> int:
        kind = attachment.get("contentType") or ""
        return next(n for n, preferred in enumerate(_PREFERRED) if preferred in kind)

    for attachment in sorted(attachments, key=preference):
        holder = attachment
        if not holder.get("data") and holder.get("url"):
            binary = resources.find(holder["url"])
            if binary is None:
                continue
            referred.add(id(binary))
            holder = binary
        try:
            inner = read_inner(base64.b64decode(holder.get("data") or "", validate=True))
        except (UnreadableFile, ValueError):
            continue
        return "\n\n".join(document.text for document in inner.documents)
    raise unreadable("fhir-attachment")


def _document(text: str, resource: dict[str, Any], resources: Resources, alone: bool) -> ParsedDocument:
    patient = resources.find(refer(resource.get("subject")))
    record: PatientRecord | None = patient_record(patient, resource, resources) if patient else None
    context = resource.get("context") or {}
    visits = [*(context.get("encounter") or []), resource.get("encounter")]
    visit = next((refer(v) for v in visits if refer(v)), None)
    encounter = resources.find(visit) or {}
    kind = resource.get("type") or resource.get("code") or {}
    loinc = next(
        (c.get("code") for c in kind.get("coding") or [] if "loinc" in (c.get("system") or "")), None
    )
    return ParsedDocument(
        text,
        record,
        note_type=note_type(
            [*words(kind), resource.get("description"), resource.get("title")], loinc, record
        ),
        specialty=specialty(*words(context.get("practiceSetting")), *words(encounter.get("serviceType"))),
        encounter=next((i["value"] for i in encounter.get("identifier") or [] if i.get("value")), None)
        or (visit.rpartition("/")[2].rpartition(":")[2] if visit else None),
        codes=_codes(text, resource, visit, resources, alone),
    )


def _codes(
    text: str, resource: dict[str, Any], visit: str | None, resources: Resources, alone: bool
) -> dict[str, list[str]]:
    """The ICD-10 codes of the document's encounter, each with those words of its evidence that are in the text.

    Conditions without an encounter count only for the one document of a file, and a problem list's never.
    """
    codes: dict[str, list[str]] = {}
    for condition in resources.all:
        if condition["resourceType"] != "Condition" or refer(condition.get("subject")) != refer(
            resource.get("subject")
        ):
            continue
        listed = any(
            c["code"] == "problem-list-item" for k in condition.get("category") or [] for c in coded(k)
        )
        where = refer(condition.get("encounter"))
        if (where != visit or where is None) and not (alone and where is None and not listed):
            continue
        said = [w for e in condition.get("evidence") or [] for k in e.get("code") or [] for w in words(k)]
        for coding in coded(condition.get("code")):
            if coding.get("system") in _ICD10 and coding.get("code"):
                quotes = codes.setdefault(coding["code"], [])
                quotes += [w for w in said if w in text and w not in quotes]
    return codes
