"""Files that cannot be read stop with the rule that fits, and the error holds nothing of them."""

from __future__ import annotations

import io
import json
import logging
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from preceptor.documents.errors import RULES, UnreadableFile
from preceptor.errors import PreceptorError
from preceptor.records import ParsedDocument

ReadAs = Callable[..., tuple[str, list[ParsedDocument]]]
MARKER = "Zebulon Quimby"
HEAD = '<ClinicalDocument xmlns="urn:hl7-org:v3">'
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    + HEAD
    + "&b;</ClinicalDocument>"
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def encrypted_pdf(make: SimpleNamespace) -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make.pdf(make.note))))
    writer.encrypt("secret", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def scanned_pdf(pages: int = 1, text_first: bool = False) -> bytes:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out)
    if text_first:
        canvas.drawString(60, 700, "Page one has words.")
        canvas.showPage()
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
        "0000000a49444154789c63f80f00010101005a4d6ff10000000049454e44ae426082"
    )
    for _ in range(pages):
        canvas.drawImage(ImageReader(io.BytesIO(png)), 0, 0, 500, 700)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 101_000_000)
    return out.getvalue()


def fhir(**attachment: str) -> str:
    document = {"resourceType": "DocumentReference", "content": [{"attachment": attachment}]}
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": document}]})


@pytest.mark.parametrize(
    ("rule", "name", "data"),
    [
        ("empty", "a.txt", b""),
        ("empty", "a.txt", b"\xef\xbb\xbf \r\n\t"),
        ("empty", "a.html", "<html><body><script>var a = 1</script></body></html>"),
        ("empty", "a.docx", lambda make: make.docx("  ")),
        ("not-text", "a.txt", bytes(range(256)) * 4),
        ("not-text", "a.bin", b"\x7fELF\x02\x01\x01\0\0\0\0"),
        ("encoding-unsure", "a.txt", "患者は胸痛を訴えている。".encode("shift_jis")),
        ("encoding-unsure", "a.txt", "Müller, 38°".encode("cp437")),
        ("mixed-encoding", "a.txt", "Müller was seen".encode() + b" in a caf\xe9"),
        ("image", "scan.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("image", "scan.tif", b"II*\0\x08\0\0\0"),
        (
            "unknown-structure",
            "a.zip",
            lambda make: zip_bomb().replace(b"word/document.xml", b"some/document.xml"),
        ),
        ("pdf-corrupt", "a.pdf", lambda make: make.pdf(make.note)[:300]),
        ("pdf-corrupt", "a.pdf", b"%PDF-1.7\n" + b"\0garbage" * 50),
        ("pdf-corrupt", "a.pdf", b"\0\1\2 no header"),
        ("pdf-encrypted", "a.pdf", encrypted_pdf),
        ("pdf-no-text", "a.pdf", lambda make: scanned_pdf()),
        ("pdf-no-text", "a.pdf", lambda make: scanned_pdf(text_first=True)),
        ("docx-corrupt", "a.docx", lambda make: make.docx(make.note)[:2000]),
        ("docx-corrupt", "a.docx", lambda make: make.docx(make.note)[:-300]),
        ("docx-encrypted", "a.docx", OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")),
        ("doc-legacy", "a.doc", OLE + b"\0" * 600),
        ("docx-expands", "a.docx", lambda make: zip_bomb()),
        ("rtf-corrupt", "a.rtf", rb"{\rtf1\ansi {\b " + MARKER.encode()),
        ("rtf-corrupt", "a.rtf", rb"{\rtf1\ansi\u99999999 " + MARKER.encode() + b"}"),
        ("xml-doctype", "a.xml", BOMB),
        ("xml-doctype", "a.xml", BOMB.encode("utf-16")),
        (
            "xml-doctype",
            "a.xml",
            BOMB.replace("<!ENTITY a", '<!ENTITY c SYSTEM "file:///etc/passwd"><!ENTITY a'),
        ),
        ("xml-corrupt", "a.xml", f'<?xml version="1.0"?>{HEAD}<title>{MARKER}'),
        (
            "xml-corrupt",
            "a.xml",
            f'<?xml version="1.0"?>{HEAD}' + "<a>" * 5000 + "</a>" * 5000 + "</ClinicalDocument>",
        ),
        (
            "xml-unknown",
            "a.xml",
            f'<?xml version="1.0"?><Patient xmlns="http://hl7.org/fhir">{MARKER}</Patient>',
        ),
        ("ccda-no-text", "a.xml", f"{HEAD}<title>{MARKER}</title></ClinicalDocument>"),
        ("json-corrupt", "a.json", '{"resourceType": "Bundle", "entry": [{"'),
        ("json-corrupt", "a.json", "[" * 200_000),
        ("json-unknown", "a.json", json.dumps({"name": MARKER})),
        ("json-unknown", "a.json", json.dumps({"resourceType": "DocumentReference", "content": MARKER})),
        ("fhir-no-document", "a.json", json.dumps({"resourceType": "Patient", "name": [{"family": MARKER}]})),
        ("fhir-attachment", "a.json", fhir(url="https://ehr.example/Binary/1")),
        ("fhir-attachment", "a.json", fhir(data="!!not base64!!")),
        ("fhir-attachment", "a.json", fhir(data="caf\u00e9")),
        ("fhir-attachment", "a.json", fhir(data="AAECAwQ=")),
        ("hl7-corrupt", "a.hl7", f"MSH|\rPID|1||||{MARKER}"),
        ("hl7-no-text", "a.hl7", f"MSH|^~\\&|A|B|C|D|2024||MDM^T02|1|P|2.5\rPID|1||1||{MARKER}"),
    ],
)
def test_an_unreadable_file_names_its_rule(
    rule: str, name: str, data: Any, read_as: ReadAs, make: SimpleNamespace
) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read_as(name, data(make) if callable(data) else data)
    assert caught.value.rule == rule
    assert caught.value.remedy == RULES[rule]
    assert isinstance(caught.value, PreceptorError)


def test_pypdf_does_not_quote_a_damaged_file_in_its_warnings(
    read_as: ReadAs,
    make: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    damaged = make.pdf(make.note).replace(b"/Kids [", b"/Kids [ " + MARKER.encode() + b" ")
    caplog.set_level(logging.DEBUG)
    with pytest.raises(UnreadableFile):
        read_as("a.pdf", damaged)
    assert "ebulon" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("name", ["a.pdf", "a.rtf", "a.xml", "a.json", "a.hl7"])
def test_the_error_and_the_log_hold_nothing_of_the_file(
    name: str, read_as: ReadAs, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = {
        "a.pdf": b"%PDF-1.7\n1 0 obj <</"
        + MARKER.encode()
        + b" ("
        + MARKER.encode()
        + b" >>\ntrailer "
        + MARKER.encode(),
        "a.rtf": rb"{\rtf1\ansi\ansicpg1252 \u99999999 " + MARKER.encode() + b"}",
        "a.xml": f"<?xml version='1.0'?>{HEAD}<{MARKER.replace(' ', '')}>{MARKER}",
        "a.json": f'{{"resourceType": "Bundle", "{MARKER}": "{MARKER}',
        "a.hl7": f"MSH|{MARKER}\rPID|{MARKER}",
    }
    caplog.set_level(logging.DEBUG)
    with pytest.raises(UnreadableFile) as caught:
        read_as(name, broken[name])
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + "".join(capfd.readouterr())
    assert "Zebulon" not in shown
    assert "Quimby" not in shown


def test_a_file_or_document_over_the_limit_is_refused(read_as: ReadAs) -> None:
    with pytest.raises(UnreadableFile, match="too-large"):
        read_as("a.txt", b"x" * 2000, max_file_mb=0.001)
    with pytest.raises(UnreadableFile, match="too-long"):
        read_as("a.txt", b"x" * 2000, max_characters=1000)


def test_files_wrapped_in_files_end_somewhere(read_as: ReadAs, make: SimpleNamespace) -> None:
    import base64

    data = make.note.encode()
    for _ in range(4):
        data = fhir(data=base64.b64encode(data).decode()).encode()
    with pytest.raises(UnreadableFile, match="fhir-attachment"):
        read_as("a.json", data)


@pytest.mark.parametrize("cut", range(0, 100, 9))
def test_a_file_cut_anywhere_is_read_or_refused_and_nothing_else(
    cut: int, read_as: ReadAs, corpus_build: ModuleType, notes: list[dict[str, Any]]
) -> None:
    for chosen, (write, suffix) in corpus_build.WRITERS.items():
        data = write(notes[0])
        try:
            found, documents = read_as(f"cut{suffix}", data[: len(data) * cut // 100])
        except UnreadableFile as error:
            assert error.rule in RULES
        else:
            # Formats made of lines cannot tell; the others must.
            assert found in ("text", "html", "hl7v2"), (chosen, cut)
            assert documents


def test_every_rule_is_used_somewhere() -> None:
    import preceptor.documents

    sources = "".join(
        p.read_text() for p in Path(preceptor.documents.__path__[0]).glob("*.py") if p.stem != "errors"
    )
    unused = [rule for rule in RULES if f'"{rule}"' not in sources and not rule.endswith("-corrupt")]
    assert unused == []
