"""Word documents, one paragraph a line."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

from docx import Document
from docx.document import Document as DocumentType
from docx.oxml.ns import qn

from writers.facts import EXPORTED

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can say


def write(note: dict[str, Any]) -> bytes:
    """Return the note as .docx, its archive rewritten without times and without compression."""
    document = Document()
    _slim(document)
    for line in note["text"].strip("\n").split("\n"):
        document.add_paragraph(line.rstrip())
    about = document.core_properties
    about.title, about.author, about.comments = note["note_type"], "", ""
    about.created = about.modified = datetime.strptime(EXPORTED, "%Y%m%d%H%M%S")
    buffer = io.BytesIO()
    document.save(buffer)
    return _without_times(buffer.getvalue())


def _slim(document: DocumentType) -> None:
    """Take out of python-docx's template what no note uses: 900 kB of styles for old versions of Word, a picture."""
    for part in (document.part, document.part.package):
        for key, relation in list(part.rels.items()):
            if relation.reltype.rpartition("/")[2] in ("stylesWithEffects", "customXml", "thumbnail"):
                del part.rels[key]
    for style in list(document.styles.element):
        if style.get(qn("w:styleId")) != "Normal":
            document.styles.element.remove(style)
    document.styles["Normal"].paragraph_format.space_after = 0


def _without_times(data: bytes) -> bytes:
    """Rewrite a zip archive so that the same parts give the same bytes, whatever the clock and zlib."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            target.writestr(entry, source.read(name))
    return out.getvalue()
