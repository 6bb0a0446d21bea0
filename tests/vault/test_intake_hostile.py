"""Intake as a whole: hostile files, selection and consent, archives, and a kill in the middle of two thousand."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from preceptor.consent import require_usable, unusable_patients
from preceptor.documents.intake import intake
from preceptor.errors import GateRefused, UsageError
from preceptor.records import Example
from preceptor.settings import IntakeSettings, Workspace
from preceptor.tables import EXAMPLES, write_examples
from preceptor.vault import open_vault
from preceptor.versions import make_version
from tests.documents.conftest import load_hostile

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "home")


@pytest.fixture
def vault(workspace):
    with closing(open_vault(workspace)) as opened:
        yield opened


def verdicts(report, folder: Path) -> dict[str, str]:
    return {q["file"].removeprefix(f"{folder}/"): q["rule"] for q in report.quarantined}


def sums_up(report) -> bool:
    parts = report.accepted + report.duplicates + report.refused_files + report.quarantined_files
    return report.files == parts


def test_every_hostile_file_gets_its_rule_and_the_good_ones_come_in(vault, tmp_path):
    build, folder = load_hostile(), tmp_path / "inbox"
    build.build(folder)
    expected = {name: rule for name, rule in build.EXPECTED.items() if rule not in ("accepted", "duplicate")}
    limits = IntakeSettings(max_seconds=5)
    report = intake([folder], vault, limits)
    assert verdicts(report, folder) == expected
    assert (report.accepted, report.duplicates) == (2, 1)
    assert sums_up(report)
    assert vault.counts(report.batch).quarantined == len(expected)
    again = intake([folder], vault, limits)
    assert (again.accepted, again.duplicates, verdicts(again, folder)) == (0, 3, expected)
    assert not (tmp_path / "climbs.txt").exists() and not (tmp_path.parent / "climbs.txt").exists()


def zip_of(members: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


def test_members_of_an_archive_are_counted_one_by_one_and_known_again(vault, tmp_path):
    inbox = tmp_path / "a.zip"
    inbox.write_bytes(zip_of({f"{n}.txt": f"Seen for gout, visit {n}." for n in range(5)}))
    first = intake([inbox], vault, IntakeSettings())
    assert (first.files, first.accepted, first.documents) == (5, 5, 5)
    again = intake([inbox], vault, IntakeSettings())
    assert (again.files, again.duplicates, again.accepted) == (5, 5, 0)


def test_what_selection_refuses_is_counted_and_not_kept_until_the_rules_change(vault, workspace, tmp_path):
    inbox = tmp_path / "rows.jsonl"
    rows = [
        {"text": f"Quillfeather was seen, visit {n}.", "note_type": "note" if n else "letter"}
        for n in range(4)
    ]
    inbox.write_text("".join(json.dumps(row) + "\n" for row in rows))
    strict = IntakeSettings(selection={"note_types": {"only": ["letter"]}})
    report = intake([inbox], vault, strict)
    assert (report.documents, report.refused, report.files) == (1, {"note-type": 3}, 1)
    assert vault.counts(report.batch).by_refusal == {"note-type": 3}
    assert intake([inbox], vault, strict).duplicates == 1
    assert intake([inbox], vault, IntakeSettings()).documents == 3
    assert vault.counts(report.batch).by_refusal == {}


@pytest.fixture
def two_patients(tmp_path):
    inbox = tmp_path / "rows.jsonl"
    rows = [
        {"patient_id": "P1", "text": "One was seen.", "patient": {"name": "Ezra Quill", "mrn": "44-1001"}},
        {"patient_id": "P2", "text": "Two was seen.", "patient": {"name": "Ada Plover", "mrn": "44-1002"}},
        {"text": "Nobody's note, MRN 44-1001."},
        {"text": "Nobody's other note."},
    ]
    inbox.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return inbox


def listed(tmp_path: Path, *ids: str) -> str:
    path = tmp_path / "list.csv"
    path.write_text("# patients\n" + "".join(f"{one},since 2024\n" for one in ids))
    return str(path)


@pytest.mark.parametrize("known_as", ["P1", "44-1001", "441001"])
def test_a_patient_who_opted_out_stays_out_by_whatever_number(known_as, vault, two_patients, tmp_path):
    settings = IntakeSettings(opt_out=listed(tmp_path, known_as))
    report = intake([two_patients], vault, settings)
    # The note that only mentions the number is refused if the number is the one listed.
    assert report.refused["opt-out"] == (1 if known_as == "P1" else 2)
    assert "One was seen." not in {d.text for d in vault.documents(report.batch, why="test")}
    assert unusable_patients(vault, settings) == {vault.find_patient("P1")}


def test_with_a_consent_list_only_those_on_it_come_in(vault, two_patients, tmp_path):
    settings = IntakeSettings(consent=listed(tmp_path, "P2"))
    report = intake([two_patients], vault, settings)
    assert report.refused == {"no-consent": 3}
    assert [d.text for d in vault.documents(report.batch, why="test")] == ["Two was seen."]
    assert vault.find_patient("P1") in unusable_patients(vault, settings)


def test_a_later_stage_refuses_data_of_a_patient_who_opted_out_since(workspace, two_patients, tmp_path):
    with closing(open_vault(workspace)) as vault:
        intake([two_patients], vault, IntakeSettings())
        ref = vault.find_patient("P1")

    def write(folder):
        write_examples(folder / EXAMPLES, [_example(ref)])
        return {}

    version = make_version(workspace.data, "curated", inputs={}, config=1, code="1", write=write)
    require_usable(workspace, IntakeSettings(), [version], "Training")
    with pytest.raises(GateRefused, match="Training refused.*1 examples"):
        require_usable(workspace, IntakeSettings(opt_out=listed(tmp_path, "P1")), [version], "Training")


def _example(patient_ref: str) -> Example:
    return Example("e1", "summary", "train", patient_ref, ("d-1",), "general", "Summarise.", "Gout.")


def test_a_list_that_is_missing_is_a_wrong_usage_and_nothing_is_taken_in(vault, two_patients, tmp_path):
    with pytest.raises(UsageError, match="no list of patients"):
        intake([two_patients], vault, IntakeSettings(opt_out=str(tmp_path / "gone.csv")))
    assert vault.batches() == []


@pytest.mark.skipif(not hasattr(os, "mkfifo") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_quarantined(vault, tmp_path):
    (tmp_path / "a.txt").write_text("Seen.")
    (tmp_path / "a.txt").chmod(0)
    assert [q["rule"] for q in intake([tmp_path / "a.txt"], vault, IntakeSettings()).quarantined] == [
        "not-readable"
    ]


def test_file_names_that_are_no_text_are_taken_and_shown(vault, tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/caf\xe9.txt", "w") as stream:
        stream.write("Seen.")
    with open(os.fsencode(folder) + b"/br\xf6ken.pdf", "wb") as binary:
        binary.write(b"%PDF-1.7 cut")
    report = intake([folder], vault, IntakeSettings())
    assert report.accepted == 1
    assert json.dumps(report.quarantined, ensure_ascii=False).encode()


def test_killed_in_the_middle_of_two_thousand_and_repeated_gives_the_same_manifest(tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for n in range(2_000):
        (inbox / f"{n:04d}.txt").write_text(f"Visit {n}: seen for gout, better than last time.")
    homes = [tmp_path / "killed", tmp_path / "whole"]
    assert _intake(inbox, homes[1]).wait() == 0
    # The same keys, so that the same document has the same reference in both.
    for name in ("keys/master.key", "vault/keyring.json"):
        (homes[0] / name).parent.mkdir(parents=True, mode=0o700)
        shutil.copy(homes[1] / name, homes[0] / name)
    process = _intake(inbox, homes[0])
    _wait_for_documents(homes[0], process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    found = []
    for home in homes:
        with closing(open_vault(Workspace(home))) as vault:
            found.append([vault.counts(batch).documents for batch in vault.batches()])
    assert 0 < found[0][0] < 2_000, "it was not killed in the middle"
    assert _intake(inbox, homes[0]).wait() == 0
    manifests = []
    for home in homes:
        with closing(open_vault(Workspace(home))) as vault:
            (batch,) = vault.batches()
            manifests.append((batch, vault.counts(batch).documents, vault.manifest(batch)))
    assert manifests[0] == manifests[1]
    assert manifests[0][1] == 2_000


def _intake(inbox: Path, home: Path) -> subprocess.Popen:
    command = [
        str(Path(sys.executable).with_name("preceptor")),
        "--home",
        str(home),
        "intake",
        str(inbox),
        "--json",
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)


def _wait_for_documents(home: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if (home / "vault" / "vault.db").exists():
            with closing(open_vault(Workspace(home))) as vault:
                if vault.batches():
                    return
        time.sleep(0.02)
    raise AssertionError("nothing was committed in a minute")
