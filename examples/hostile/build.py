"""Write a folder of files that try to break intake: `python examples/hostile/build.py FOLDER`.

Every file is broken, hostile or no document, and stands in `EXPECTED` with the rule that intake must give it; archives
have an entry for each member. Two good notes among them must come through. All people are fictional.
"""

from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

NOTE = b"Clinic note. Mr. Ezra Quillfeather was seen for his knee. Plan: ice and rest.\n"
CDA = '<ClinicalDocument xmlns="urn:hl7-org:v3">'
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def billion_laughs() -> bytes:
    lines = ['<!ENTITY a0 "ha">'] + [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)]
    return f'<?xml version="1.0"?><!DOCTYPE x [{"".join(lines)}]>{CDA}<title>&a9;</title></ClinicalDocument>'.encode()


def external_entity() -> bytes:
    return (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>{CDA}<title>&x;</title>'
        "</ClinicalDocument>"
    ).encode()


def deep_xml() -> bytes:
    return f'<?xml version="1.0"?>{CDA}{"<a>" * 100_000}'.encode()


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros.txt", "w", force_zip64=True) as member,
    ):
        for _ in range(256):
            member.write(b"0" * 1_000_000)
    return out.getvalue()


def lying_zip() -> bytes:
    """A member whose header claims ten bytes and that unpacks to a hundred megabytes."""
    data = bytearray(zipped(("small.txt", b"0" * 100_000_000)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = struct.pack("<I", 10)
    return bytes(data)


def nested_zip() -> bytes:
    data = NOTE
    for depth in range(6):
        data = zipped((f"level{depth}.{'txt' if depth == 0 else 'zip'}", data))
    return data


def encrypted_zip() -> bytes:
    data = bytearray(zipped(("secret.txt", NOTE)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def climbing_tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("../../climbs.txt", NOTE), ("/etc/absolute.txt", NOTE), ("good.txt", NOTE)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("passwd.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        device = tarfile.TarInfo("zero.txt")
        device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 5
        archive.addfile(device)
    return gzip.compress(out.getvalue())


def pdf(stream: bytes, *, filters: str = "/FlateDecode", extra: str = "", pages: str = "") -> bytes:
    """A PDF of one page with this content stream, packed."""
    packed = zlib.compress(stream, 9) if "Flate" in filters else stream
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        pages.encode() or b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 "
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d /Filter %s %s >>\nstream\n%s\nendstream"
        % (len(packed), filters.encode(), extra.encode(), packed),
    ]
    out = io.BytesIO(b"%PDF-1.7\n")
    out.seek(0, os.SEEK_END)
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return out.getvalue()


def hanging_pdf() -> bytes:
    """Two million words set one by one, from a file of half a megabyte: hours for a parser that lays out a page."""
    words = b"".join(b"1 0 0 1 %d %d Tm (word) Tj " % (n * 7 % 600, n * 13 % 790) for n in range(400))
    return pdf(b"BT /F1 1 Tf " + words * 5_000 + b" ET")


def looping_pdf() -> bytes:
    return pdf(b"BT ET", pages="<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 99999999 >>")


def encrypted_pdf() -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(b"BT /F1 12 Tf 72 700 Td (A note) Tj ET"))))
    writer.encrypt("secret", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def long_text() -> bytes:
    return b"The patient was seen again. " * 100_000


def deep_json() -> bytes:
    return b'{"resourceType":' + b"[" * 500_000


# name -> what is in it; what is written to the disk otherwise stands in `build`.
FILES: dict[str, Callable[[], bytes]] = {
    "good-note.txt": lambda: NOTE,
    "empty.txt": lambda: b"",
    "blank.txt": lambda: b"\xef\xbb\xbf \r\n\t\f\r\n",
    "mixed.txt": lambda: "Müller, Jörg, Zürich".encode() + b" caf\xe9 \xff\xfe\n",
    "binary.txt": lambda: bytes(range(256)) * 64,
    "program.txt": lambda: b"\x7fELF\x02\x01\x01" + b"\0" * 200,
    "too-long.txt": long_text,
    "picture.pdf": lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01",
    "truncated.pdf": lambda: pdf(b"BT /F1 12 Tf 72 700 Td (A note) Tj ET")[:200],
    "encrypted.pdf": encrypted_pdf,
    "hanging.pdf": hanging_pdf,
    "looping.pdf": looping_pdf,
    "not-a-word-file.docx": lambda: b"\0\x01\x02" * 300,
    "truncated.docx": lambda: zipped(("word/document.xml", os.urandom(4000)))[:900],
    "bomb.docx": lambda: zipped(("[Content_Types].xml", b"<x/>"), ("word/document.xml", b" " * 150_000_000)),
    "encrypted.docx": lambda: OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
    "old.doc": lambda: OLE + b"\0" * 900,
    "truncated.rtf": lambda: rb"{\rtf1\ansi {\b a note that ends in the",
    "billion-laughs.xml": billion_laughs,
    "external-entity.xml": external_entity,
    "deep.xml": deep_xml,
    "truncated.xml": lambda: f'<?xml version="1.0"?>{CDA}<component><structuredBody>'.encode(),
    "deep.json": deep_json,
    "truncated.json": lambda: b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceT',
    "no-delimiters.hl7": lambda: b"MSH|\rPID|1||||Quillfeather^Ezra\r",
    "no-text-column.csv": lambda: b"a,b,c\n1,2,3\n",
    "bomb.zip": zip_bomb,
    "lying.zip": lying_zip,
    "nested.zip": nested_zip,
    "encrypted.zip": encrypted_zip,
    "climbing.zip": lambda: zipped(
        ("../../climbs.txt", NOTE), ("C:\\windows\\drive.txt", NOTE), ("fine.txt", b"Fine. " + NOTE)
    ),
    "climbing.tar.gz": climbing_tar,
    "truncated.zip": lambda: zipped(("a.txt", NOTE * 100))[:120],
    "truncated.tar.gz": lambda: climbing_tar()[:150],
    "bomb.txt.gz": lambda: gzip.compress(b"0" * 200_000_000),
    "bomb.txt.bz2": lambda: bz2.compress(b"0" * 200_000_000),
}
# What intake must say: item -> rule, or "accepted".
EXPECTED: dict[str, str] = {
    "good-note.txt": "accepted", "empty.txt": "empty", "blank.txt": "empty", "mixed.txt": "mixed-encoding",
    "binary.txt": "not-text", "program.txt": "not-text", "too-long.txt": "too-long", "two-gigabytes.txt": "too-large",
    "picture.pdf": "image", "truncated.pdf": "pdf-corrupt", "encrypted.pdf": "pdf-encrypted",
    "hanging.pdf": "too-slow", "looping.pdf": "pdf-corrupt", "not-a-word-file.docx": "docx-corrupt",
    "truncated.docx": "docx-corrupt", "bomb.docx": "docx-expands", "encrypted.docx": "docx-encrypted",
    "old.doc": "doc-legacy", "truncated.rtf": "rtf-corrupt", "billion-laughs.xml": "xml-doctype",
    "external-entity.xml": "xml-doctype", "deep.xml": "xml-corrupt", "truncated.xml": "xml-corrupt",
    "deep.json": "json-corrupt", "truncated.json": "json-corrupt", "no-delimiters.hl7": "hl7-corrupt",
    "no-text-column.csv": "table-columns", "bomb.zip/zeros.txt": "archive-expands",
    "lying.zip/small.txt": "archive-corrupt", "nested.zip/level5.zip/level4.zip/level3.zip": "nested-too-deep",
    "encrypted.zip/secret.txt": "archive-encrypted", "climbing.zip/../../climbs.txt": "archive-path",
    "climbing.zip/C:\\windows\\drive.txt": "archive-path", "climbing.zip/fine.txt": "accepted",
    "climbing.tar.gz/../../climbs.txt": "archive-path", "climbing.tar.gz//etc/absolute.txt": "archive-path",
    "climbing.tar.gz/passwd.txt": "archive-link", "climbing.tar.gz/zero.txt": "archive-link",
    "climbing.tar.gz/good.txt": "duplicate", "truncated.zip": "archive-corrupt",
    "truncated.tar.gz": "archive-corrupt", "truncated.tar.gz/../../climbs.txt": "archive-path", "bomb.txt.gz/content": "archive-expands",
    "bomb.txt.bz2/content": "archive-expands", "link.txt": "link-outside", "nowhere.txt": "not-a-file",
    "pipe.txt": "not-a-file",
}  # fmt: skip


def build(folder: Path) -> None:
    """Write all files into a folder, which is made. The text of two gigabytes takes no room: it is a hole."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        (folder / name).write_bytes(make())
    with (folder / "two-gigabytes.txt").open("wb") as stream:
        stream.truncate(2_000_000_000)
    for name, target in (("link.txt", "/etc/passwd"), ("nowhere.txt", "no-such-file")):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    (folder / "pipe.txt").unlink(missing_ok=True)
    os.mkfifo(folder / "pipe.txt")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build(Path(sys.argv[1]))
    print(f"{len(FILES) + 4} files in {sys.argv[1]}")
