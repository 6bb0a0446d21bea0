"""Many documents through intake and de-identification: `python benchmarks/deid_batch.py [--documents N …] [--workers N …]`.

Each line is a fresh home: N documents of a third as many patients, each with a record, in one JSONL file. Printed:
documents a second of both stages, and peak memory of the stage's own process and of its largest worker. Where memory is
bounded, it is the same for ten times the documents.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
KEY = bytes(range(32))
A_PATIENT = 3  # documents


def write(folder: Path, count: int) -> dict[str, Any]:
    """Our annotated notes about other people, none twice; the record says the first name, number and phone of each."""
    from preceptor.deid.tagger.notes import annotated_notes
    from preceptor.deid.tagger.redraw import redraw

    notes = [n for n in annotated_notes() if 900 < len(n.text) < 3500]
    wanted = {"PATIENT": "name", "MRN": "mrn", "PHONE": "phone", "RELATIVE": "relatives"}
    with (folder / "notes.jsonl").open("w") as stream:
        for n in range(count):
            pieces = redraw(notes[n % len(notes)].pieces, Random(n))
            record: dict[str, str] = {}
            for piece in pieces:
                if piece.type in wanted:
                    record.setdefault(wanted[piece.type], piece.text)
            row = {
                "patient_id": f"P{n // A_PATIENT}",
                "text": "".join(p.text for p in pieces),
                "note_type": "note",
                "patient": record,
            }
            stream.write(json.dumps(row) + "\n")
    return {}


def take_in(home: Path, folder: Path) -> dict[str, Any]:
    from preceptor.documents.intake import intake
    from preceptor.settings import IntakeSettings
    from preceptor.vault import Vault

    with_vault = Vault(home / "vault", KEY)
    started = time.perf_counter()
    report = intake([folder], with_vault, IntakeSettings())
    return {"batch": report.batch, "documents": report.documents, **_measured(started)}


def deidentify(home: Path, batch: str, workers: int) -> dict[str, Any]:
    from preceptor.deid.stage import deidentify_batch
    from preceptor.settings import DeidSettings
    from preceptor.vault import Vault

    started = time.perf_counter()
    settings = DeidSettings(workers=workers)
    facts = deidentify_batch(Vault(home / "vault", KEY), batch, home / "data", settings, KEY).facts
    return {"documents": facts["documents"] + facts["withheld"], **_measured(started)}


def _measured(started: float) -> dict[str, Any]:
    seconds = time.perf_counter() - started
    own, worker = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {"seconds": seconds, "own MB": round(own), "worker MB": round(worker)}


def _apart(*arguments: str) -> dict[str, Any]:
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, "-W", "ignore", __file__, "--part", *arguments]
    done = subprocess.run(command, env={**os.environ, **one}, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        part, home, *more = given.part
        if part == "write":
            found = write(Path(home), int(more[0]))
        elif part == "intake":
            found = take_in(Path(home), Path(more[0]))
        else:
            found = deidentify(Path(home), more[0], int(more[1]))
        print(json.dumps(found))
        return
    print("| stage | documents | workers | documents/s | own MB | worker MB |\n|---|---|---|---|---|---|")
    for count in given.documents:
        with tempfile.TemporaryDirectory() as temporary:
            inbox = Path(temporary) / "inbox"
            inbox.mkdir()
            _apart("write", str(inbox), str(count))
            taken = _apart("intake", temporary, str(inbox))
            _print("intake", count, "", taken)
            for workers in given.workers:
                done = _apart("deidentify", temporary, taken["batch"], str(workers))
                _print("de-identification", count, str(workers), done)
                subprocess.run(["rm", "-r", f"{temporary}/data"], check=True)


def _print(stage: str, count: int, workers: str, found: dict[str, Any]) -> None:
    assert found["documents"] == count, f"{stage}: {found['documents']} of {count} documents"
    speed = round(count / found["seconds"])
    print(
        f"| {stage} | {count} | {workers} | {speed} | {found['own MB']} | {found['worker MB']} |", flush=True
    )


if __name__ == "__main__":
    main()
