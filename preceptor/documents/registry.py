"""Which reader takes a file: by what is in it, and by its name only where the content does not say."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from preceptor.documents import ccda, docx, fhir, hl7v2, html, pdf, rtf, text
from preceptor.documents.errors import UnreadableFile, unreadable
from preceptor.documents.limits import DEFAULT, Limits
from preceptor.documents.markup import parse_xml, tag
from preceptor.records import ParsedFile

_SIMPLE: dict[str, Callable[[bytes], ParsedFile]] = {
    "text": text.read,
    "pdf": pdf.read,
    "docx": docx.read,
    "rtf": rtf.read,
    "html": html.read,
}
# These may hold a file of another format inside, and get a function that reads it.
_COMPOUND = {"ccda": ccda.read, "fhir": fhir.read, "hl7v2": hl7v2.read}
FORMATS = (*_SIMPLE, *_COMPOUND)
_SCANS = ("image", "pdf-no-text", "pdf-no-unicode")  # what OCR can help with
_MAX_DEPTH = 3  # HL7 v2 around C-CDA around PDF; more is no export but a trap

_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8", b"BM")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HL7 = re.compile(rb"[\x0b\s]*(MSH|FHS|BHS)[^\w\s]")
_HTML = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|div|p|table|span|h[1-6]|pre|center|font|meta)\b",
    re.IGNORECASE | re.DOTALL,
)


def read_file(path: Path, limits: Limits) -> tuple[str, ParsedFile]:
    """Return a file's format (one of `FORMATS`) and what is in it; no document without text.

    Raises `UnreadableFile` with the rule that stopped it; OSError if the file cannot be opened.
    """
    if path.stat().st_size > limits.max_file_bytes:
        raise unreadable("too-large")
    name, parsed = read_bytes(path.read_bytes(), path.suffix, limits=limits)
    if any(len(document.text) > limits.max_characters for document in parsed.documents):
        raise unreadable("too-long")
    return name, parsed


def read_bytes(
    data: bytes, suffix: str = "", depth: int = 1, limits: Limits = DEFAULT
) -> tuple[str, ParsedFile]:
    """The same for a file's content; `suffix` is the end of its name, `depth` counts files inside files."""
    if depth > _MAX_DEPTH:
        raise unreadable("nested-too-deep")
    try:
        name, parsed = _read(data, suffix, depth, limits)
    except UnreadableFile as error:
        if not limits.ocr or error.rule not in _SCANS:
            raise
        from preceptor.documents import ocr

        name = "scan"
        parsed = ocr.read_scan(data, languages=limits.ocr_languages)
    parsed = replace(parsed, documents=tuple(d for d in parsed.documents if d.text.strip()))
    if parsed == ParsedFile():
        raise unreadable("empty")
    return name, parsed


def _read(data: bytes, suffix: str, depth: int, limits: Limits) -> tuple[str, ParsedFile]:
    name = detect(data, suffix)
    if name in _SIMPLE:
        return name, _SIMPLE[name](data)
    return name, _COMPOUND[name](data, lambda inner: read_bytes(inner, depth=depth + 1, limits=limits)[1])


def detect(data: bytes, suffix: str = "") -> str:
    """Return the format of a file's content. Raises `UnreadableFile` if it is none of `FORMATS`."""
    if not data.strip(b" \t\r\n\f\0\x1a\xef\xbb\xbf"):
        raise unreadable("empty")
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return _zip(data, suffix)
    if data.startswith(_OLE):
        encrypted = "EncryptedPackage".encode("utf-16-le") in data
        raise unreadable("docx-encrypted" if encrypted else "doc-legacy")
    if data.lstrip().startswith(rb"{\rtf"):
        return "rtf"
    if data.startswith(_IMAGES) and b"\0" in data:
        raise unreadable("image")
    if _HL7.match(data.removeprefix(b"\xef\xbb\xbf")):
        return "hl7v2"
    if suffix.lower() in (".pdf", ".docx") and b"\0" in data:
        raise unreadable(f"{suffix.lower()[1:]}-corrupt")
    return _by_text(text.decode(data).lstrip("\ufeff \t\r\n"), data, suffix.lower())


def _zip(data: bytes, suffix: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if docx.BODY in archive.namelist():
                return "docx"
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        if suffix.lower() in (".docx", ".docm", "") or b"word/" in data:
            raise unreadable("docx-corrupt") from None
    raise unreadable("unknown-structure")


def _by_text(start: str, data: bytes, suffix: str) -> str:
    if start.startswith("<"):
        head = start[:4096].encode()
        if _HTML.match(re.sub(rb"^<\?xml[^>]*\?>", b"", head)) or (
            suffix in (".html", ".htm") and "</" in start
        ):
            return "html"
        if (
            head.startswith(b"<?xml")
            or suffix in (".xml", ".ccda", ".cda")
            or "ClinicalDocument" in start[:4096]
        ):
            if tag(parse_xml(data)) == "ClinicalDocument":
                return "ccda"
            raise unreadable("xml-unknown")
    if start[0] in "{[" and _is_fhir(start, suffix):
        return "fhir"
    return "text"


def _is_fhir(start: str, suffix: str) -> bool:
    named = suffix in (".json", ".ndjson", ".jsonl", ".fhir") or '"resourceType"' in start
    try:
        found = json.loads(start)
    except (ValueError, RecursionError):
        lines = start.splitlines()
        if len(lines) > 1 and all('"resourceType"' in line for line in lines if line.strip()):
            return True
        if named:
            raise unreadable("json-corrupt") from None
        return False  # a note may begin with a bracket
    resources = found if isinstance(found, list) else [found]
    if resources and all(isinstance(r, dict) and isinstance(r.get("resourceType"), str) for r in resources):
        return True
    if named or isinstance(found, dict):
        raise unreadable("json-unknown")
    return False
