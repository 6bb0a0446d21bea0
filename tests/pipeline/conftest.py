"""One run of the whole pipeline through the real program, on a corpus with planted identifiers, shared by the tests."""

from __future__ import annotations

import csv
import fcntl
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from preceptor.backup import back_up
from preceptor.settings import Workspace

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "examples" / "corpus"

# A patient who exists nowhere, with identifiers that nothing else contains.
PLANTED = {
    "patient_id": "Zx-Canary-31",
    "name": "Zebulon Quackenbosh",
    "dob": "1951-08-23",
    "mrn": "QZX-9987123",
    "phone": "(907) 348-6173",
    "address": "4471 Wobblegate Terrace, Snufflebury, AK 99950",
    "email": "zeb.quackenbosh@featherstone.example",
    "relatives": ["Philomena Quackenbosh"],
    "sex": "M",
}
PLANTED_TEXT = """CLINIC NOTE
Patient: Zebulon Quackenbosh   MRN: QZX-9987123   DOB: 08/23/1951
Mr. Quackenbosh was seen on 03/14/2024 for follow-up of hypertension ({n}). He lives at 4471 Wobblegate Terrace,
Snufflebury, AK 99950 and can be reached at (907) 348-6173 or zeb.quackenbosh@featherstone.example. His wife Philomena
drove him. Blood pressure 138/84, heart rate 72, lungs clear. Lisinopril 20 mg is continued, amlodipine 5 mg was
added, and he will keep a home log of his readings for visit {n} next month. QUACKENBOSH, ZEBULON signed the consent.
SSN 907-31-6642. Fax 907-348-6174. Account: V00711820934. Insurance member ID: GRB440912776. Employer: Tattersnag Cannery.
Driver's license no. AK7730418. Plate: FWZ 8841. Pacemaker serial no. PMK-8842071-Q. Portal https://snufflehealth.example/zeb
from 203.0.113.77, user name zquack77. Accession no. S24-118834. NPI 1972504813. Seen by Dr. Ottilie Grimwhistle, room 4C.
Fingerprint ID FP-66193-04 is on file.
"""
# What must be found nowhere outside the vault. A surrogate may share the shape, never the value.
NEEDLES = (
    "zebulon", "quackenbosh", "zx-canary", "qzx-9987123", "9987123", "348-6173", "wobblegate", "snufflebury",
    "featherstone.example", "philomena", "08/23/1951", "1951-08-23", "19510823",
    "907-31-6642", "348-6174", "00711820934", "440912776", "tattersnag", "7730418", "fwz 8841", "8842071", "snufflehealth",
    "203.0.113.77", "zquack77", "118834", "1972504813", "grimwhistle", "66193",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A finished `preceptor run` and what it left."""

    home: Path
    config: Path
    temp: Path
    result: dict
    output: str

    def call(
        self, *arguments: str, stdin: str | None = None, profile: str = ""
    ) -> subprocess.CompletedProcess:
        return preceptor(self.home, self.config, self.temp, *arguments, stdin=stdin, profile=profile)


def preceptor(
    home: Path, config: Path, temp: Path, *arguments: str, stdin: str | None = None, profile: str = ""
):
    """Call the program as a user would, with a temporary folder of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PRECEPTOR_", "DAGSTER_"))}
    if profile:
        environment["PRECEPTOR_PROFILE"] = profile
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from preceptor.cli import main; main()",
            "--home",
            home,
            "--config",
            config,
            *arguments,
        ],
        capture_output=True,
        text=True,
        input=stdin,
        cwd=temp,
        env=environment | {"TMPDIR": str(temp)},
        check=False,
    )


def build_module():
    if str(CORPUS) not in sys.path:
        sys.path.append(str(CORPUS))
    spec = importlib.util.spec_from_file_location("corpus_build", CORPUS / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plant(folder: Path) -> None:
    """A part of the bundled corpus, and one note of the planted patient in every format."""
    build = build_module()
    documents = folder / "documents"
    documents.mkdir(parents=True)
    rows = [json.loads(line) for line in (CORPUS / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    patients = [r["patient_id"] for r in rows if r["kind"] == "patient"]
    chosen = set(patients[::2])
    kept = [r for r in rows if r["patient_id"] in chosen]
    for row in kept:
        if row["kind"] == "document":
            shutil.copy(CORPUS / "documents" / row["file"], documents / row["file"])
    kept.append({"kind": "patient", **PLANTED})
    for n, (format, (write, suffix)) in enumerate(sorted(build.WRITERS.items())):
        text = PLANTED_TEXT.format(n=f"number {n} {format}")
        note = {
            "note_id": f"Quackenbosh-{n}",
            "note_type": "clinic note",
            "specialty": "cardiology",
            "style": "clean",
            "patient_id": PLANTED["patient_id"],
            "patient": {k: v for k, v in PLANTED.items() if k != "patient_id"},
            "encounter": f"zx-canary-visit-{n}",
            "text": text,
            "spans": [],
        }
        name = f"zeb.quackenbosh@featherstone.example-{n}{suffix}"
        (documents / name).write_bytes(write(note))
        kept.append(
            {
                "kind": "document",
                "file": name,
                "patient_id": PLANTED["patient_id"],
                "note_type": "clinic note",
                "specialty": "cardiology",
                "encounter": f"zx-canary-visit-{n}",
                "codes": {"I10": ["hypertension"]},
                "reference_summary": "A man with hypertension, Zebulon Quackenbosh, was given amlodipine.",
            }
        )
    _plant_tables_and_archives(documents)
    _plant_broken(documents)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
    (folder / "records.jsonl").write_text(lines, encoding="utf-8")


def _plant_tables_and_archives(documents: Path) -> None:
    """The planted patient as rows, and as members of archives whose own paths tell the name."""
    patient = {k: v for k, v in PLANTED.items() if k != "patient_id"}
    who = {"patient_id": PLANTED["patient_id"]}
    row = {
        "text": PLANTED_TEXT.format(n="number 21 jsonl"),
        "note_type": "clinic note",
        **who,
        "patient": patient,
    }
    (documents / "Zebulon Quackenbosh.jsonl").write_text(
        json.dumps(row) + "\n" + json.dumps({"id": "QZX-9987123"})
    )
    with (documents / "QZX-9987123.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["note_text", "patient_id", "patient_name", "pat_phone"])
        table.writerow(
            [PLANTED_TEXT.format(n="number 22 csv"), who["patient_id"], PLANTED["name"], PLANTED["phone"]]
        )
        table.writerow(["A row too short for Zebulon Quackenbosh"])
    inner = {**row, "text": PLANTED_TEXT.format(n="number 23 zip")}
    with zipfile.ZipFile(documents / "quackenbosh.zip", "w") as packed:
        packed.writestr("Quackenbosh, Zebulon/QZX-9987123.json", json.dumps(inner))
        packed.writestr("../Philomena Quackenbosh.txt", "Philomena Quackenbosh")
    with tarfile.open(documents / "zebulon.tar.gz", "w:gz") as tar:
        data = json.dumps({**row, "text": PLANTED_TEXT.format(n="number 24 tar")}).encode()
        info = tarfile.TarInfo("wobblegate/zeb.quackenbosh@featherstone.example.json")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def _plant_broken(documents: Path) -> None:
    """Broken on purpose, with identifiers in names and bytes: they must end in quarantine and nowhere else."""
    known = "Zebulon Quackenbosh QZX-9987123"
    (documents / "quackenbosh-scan.pdf").write_bytes(b"%PDF-1.7\n" + known.encode())
    (documents / "quackenbosh-cut.zip").write_bytes((documents / "quackenbosh.zip").read_bytes()[:150])
    (documents / "quackenbosh.fhir.json").write_text(
        json.dumps(
            {
                "resourceType": "DocumentReference",
                "subject": {"reference": "Patient/QZX-9987123"},
                "content": known,
            }
        )
    )
    (documents / "quackenbosh.hl7").write_text(
        f"MSH|\rPID|1||QZX-9987123||Quackenbosh^Zebulon||19510823\r{known}"
    )
    (documents / "quackenbosh.xml").write_text(f"<ClinicalDocument><title>{known}</tytle></ClinicalDocument>")
    (documents / "quackenbosh.rtf").write_text(r"{\rtf1\ansi {\b " + known)


def write_config(path: Path, corpus: Path, **changes) -> Path:
    settings = {
        "corpus": str(corpus / "documents"),
        "corpus_records": str(corpus / "records.jsonl"),
        "intake": {"max_file_mb": 5},
        **changes,
    }
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


@dataclass(frozen=True)
class Finished:
    """What the one `preceptor run` of a test session left: a backup of its home stays as the run left it."""

    folder: Path
    output: str

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def backup(self) -> Path:
        return self.folder / "home.tar"


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Finished:
    """The whole job with the tiny model, once for all processes of the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "pipeline"
    with (shared / "pipeline.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "output").exists():
            _make(folder)
    return Finished(folder, (folder / "output").read_text())


def _make(folder: Path) -> None:
    folder.mkdir()
    # Lower-case names without planted words, so that paths in outputs are not mistaken for leaks.
    plant(folder / "corpus")
    config = write_config(folder / "config.yaml", folder / "corpus")
    (folder / "tmp").mkdir()
    done = preceptor(folder / "home", config, folder / "tmp", "run", "--profile", "smoke", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    (folder / "result.json").write_text(done.stdout)
    back_up(Workspace(folder / "home"), folder / "home.tar", with_keys=True)
    (folder / "output").write_text(done.stdout + done.stderr)


@pytest.fixture(scope="session")
def run(finished) -> Run:
    """The home that the job left, for tests that go on with it."""
    folder = finished.folder
    result = json.loads((folder / "result.json").read_text())
    return Run(folder / "home", finished.config, folder / "tmp", result, finished.output)
