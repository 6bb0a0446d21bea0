"""Intake against the bare reader library, format by format: `python benchmarks/intake.py [--documents N] [--formats …]`.

The bare library reads the same files one after the other in one process and throws the text away. Intake finds, hashes,
reads in confined processes, links, encrypts and stores them. Printed for each format: documents a second of both, the
ratio of their times (below 1: intake is faster), and peak memory of intake and of its largest reading process.
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "corpus")]


def text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        return str(from_bytes(data).best())


def pdf(path: Path) -> str:
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)


def docx(path: Path) -> str:
    from docx import Document

    return "\n".join(paragraph.text for paragraph in Document(str(path)).paragraphs)


def rtf(path: Path) -> str:
    from striprtf.striprtf import rtf_to_text

    return rtf_to_text(path.read_bytes().decode("latin-1"), encoding="cp1252")


def html(path: Path) -> str:
    from lxml import html as parser

    return parser.document_fromstring(path.read_bytes()).text_content()


def ccda(path: Path) -> str:
    from lxml import etree

    return " ".join(etree.parse(str(path)).getroot().itertext())


def fhir(path: Path) -> str:
    found = json.loads(path.read_bytes())
    attached = [
        e["resource"]["content"][0]["attachment"] for e in found["entry"] if "content" in e["resource"]
    ]
    return "".join(base64.b64decode(a.get("data", "")).decode() for a in attached)


def hl7v2(path: Path) -> str:
    from hl7apy.parser import parse_message

    message = parse_message(path.read_bytes().decode().replace("\n", "\r"), find_groups=False)
    return "\n".join(obx.obx_5.to_er7() for obx in message.obx)


BARE: dict[str, Callable[[Path], str]] = {
    "text": text, "pdf": pdf, "docx": docx, "rtf": rtf, "html": html, "ccda": ccda, "fhir": fhir, "hl7v2": hl7v2,
}  # fmt: skip


def run_bare(name: str, folder: Path) -> dict[str, float]:
    read = BARE[name]
    files = sorted(folder.iterdir())
    read(files[0])  # its imports are not what is compared
    started = time.perf_counter()
    for file in files:
        read(file)
    return {"seconds": time.perf_counter() - started}


def run_intake(folder: Path) -> dict[str, float]:
    from preceptor.documents.intake import intake
    from preceptor.settings import IntakeSettings
    from preceptor.vault import Vault

    with tempfile.TemporaryDirectory() as home:
        vault = Vault(Path(home), bytes(32))
        started = time.perf_counter()
        report = intake([folder], vault, IntakeSettings())
        seconds = time.perf_counter() - started
    own, readers = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {"seconds": seconds, "documents": report.documents, "own_mb": own, "reader_mb": readers}


def in_process(*arguments: str) -> dict[str, float]:
    """Run a part of this script in a fresh process, so that memory is its own.

    Linux starts the count of a child's peak memory from its parent's: the documents are written by such a part as well.
    """
    command = [sys.executable, __file__, *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def write(name: str, count: int, folder: Path) -> None:
    """Write that many different documents of a format."""
    from build import annotated_notes
    from every_format import has_latin_letters, write_formats

    notes = [note for note in annotated_notes() if has_latin_letters(note["text"])]
    many = [
        notes[n % len(notes)] | {"text": f"{notes[n % len(notes)]['text']}\nVisit {n}."} for n in range(count)
    ]
    write_formats(many, folder, (name,))


def run_part(part: str, folder: str, *more: str) -> dict[str, float]:
    if part == "write":
        write(more[0], int(more[1]), Path(folder))
        return {}
    return run_intake(Path(folder)) if part == "intake" else run_bare(part, Path(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000])
    parser.add_argument("--formats", nargs="+", default=list(BARE))
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(run_part(*given.part)))
        return
    print(
        f"{'format':8}{'documents':>10}{'bare/s':>10}{'intake/s':>10}{'ratio':>8}{'own MB':>9}{'reader MB':>11}"
    )
    for name in given.formats:
        for count in given.documents:
            with tempfile.TemporaryDirectory() as temporary:
                in_process("--part", "write", temporary, name, str(count))
                folder = str(Path(temporary) / name)
                bare, ours = in_process("--part", name, folder), in_process("--part", "intake", folder)
            assert ours["documents"] == count, f"{name}: {ours['documents']} of {count} documents came in"
            print(
                f"{name:8}{count:>10}{count / bare['seconds']:>10.0f}{count / ours['seconds']:>10.0f}"
                f"{ours['seconds'] / bare['seconds']:>8.2f}{ours['own_mb']:>9.0f}{ours['reader_mb']:>11.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
