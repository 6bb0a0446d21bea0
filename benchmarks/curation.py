"""Many short documents through curation: `python benchmarks/curation.py [--documents N …]`.

Each line is a fresh home: N de-identified notes of 60 to 120 words, drawn word by word, with a summary each, one in ten a near-copy of
another. Printed: seconds, documents a second, and peak memory of the process. Where the work grows with the data and no
faster, ten times the documents take ten times the time.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def documents(count: int) -> Iterator[Any]:
    from preceptor.deid.tagger.notes import annotated_notes
    from preceptor.records import DeidentifiedDocument, Labels

    words = [word for note in annotated_notes() for word in note.text.split()]
    text = ""
    for n in range(count):
        draw = Random(n)
        drawn = " ".join(draw.choices(words, k=draw.randint(60, 120)))
        text = drawn if n % 10 else f"{text} Addendum {n}."  # nearly the note before
        summary = " ".join(text.split()[:12])
        yield DeidentifiedDocument(
            f"d-{n:016x}", f"p-{n // 3:016x}", "bench-0123456789", "note", "general", None, "text", text,
            Labels(reference_summary=summary),
        )  # fmt: skip


def write(home: Path, count: int) -> dict[str, Any]:
    from preceptor.tables import DOCUMENTS, write_documents
    from preceptor.versions import make_version

    def into(folder: Path) -> dict[str, Any]:
        write_documents(folder / DOCUMENTS, list(documents(count)))
        return {}

    make_version(home, "deid-bench", inputs={}, config=count, code="1", write=into)
    return {}


def curated(home: Path) -> dict[str, Any]:
    from preceptor.curation.curate import curate
    from preceptor.settings import CurationSettings
    from preceptor.versions import newest

    source = newest(home, "deid-bench")
    started = time.perf_counter()
    version = curate(home, [source], CurationSettings(tasks=("summary",)))
    return {
        "seconds": time.perf_counter() - started,
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "examples": version.facts["examples"],
        "removed": version.facts["removed"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        home, part = given.part
        print(json.dumps(curated(Path(home)) if part == "curate" else write(Path(home), int(part))))
        return
    print("| documents | seconds | documents/s | peak MB | examples | removed |\n|---|---|---|---|---|---|")
    for count in given.documents:
        with tempfile.TemporaryDirectory() as home:
            _apart(home, str(count))
            found = _apart(home, "curate")
        speed = round(count / found["seconds"])
        print(
            f"| {count} | {found['seconds']:.1f} | {speed} | {found['peak MB']} | {found['examples']} | {found['removed']} |",
            flush=True,
        )


def _apart(home: str, part: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", __file__, "--part", home, part]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


if __name__ == "__main__":
    main()
