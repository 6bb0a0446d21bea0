"""A batch in portions: memory, several processes, kills."""

import functools
import signal
import subprocess
import sys
import time

import pytest

from preceptor.deid import stage
from preceptor.deid.engine import Deidentifier
from preceptor.deid.leakcheck import Leak
from preceptor.deid.portions import portions
from preceptor.deid.reviewed import Reviewed, finding
from preceptor.deid.stage import WITHHELD, deidentify_batch
from preceptor.records import Labels, PatientRecord
from preceptor.settings import DeidSettings
from preceptor.tables import DOCUMENTS, read_documents, read_rows
from preceptor.vault import Vault
from preceptor.versions import discard_unfinished

KEY = bytes(range(32))
TEXT = "Dr. Quill saw Mr. Tarn on 3/4/2021 for a cough. MRN 5582{n}. He was {n} years old."


@pytest.fixture
def vault(tmp_path):
    opened = Vault(tmp_path / "vault", KEY)
    with opened.transaction():
        for patient in range(40, 46):
            ref = opened.put_record(PatientRecord.from_mapping({"patient_id": str(patient)}))
            for n, name in enumerate(("session.txt", "note.txt")):
                opened.put_document(
                    ref, "b1", text=TEXT.format(n=patient) + " Seen again." * n, note_type="clinic note",
                    specialty="general", encounter="e1", format="text", file_name=name,
                    labels=Labels(follows="session.txt" if n else None),
                )  # fmt: skip
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def small_portions(monkeypatch):
    monkeypatch.setattr(stage, "portions", functools.partial(portions, size=3))


def run(vault, data, **changes):
    return deidentify_batch(vault, "b1", data, DeidSettings(tagger="none", **{"workers": 1, **changes}), KEY)


def test_portions_hold_whole_patients_and_all_of_them():
    cut = portions({"p-c": 1, "p-a": 2, "p-b": 5, "p-d": 1}, size=3)
    assert [(p.first, p.last, p.documents) for p in cut] == [("p-a", "p-b", 7), ("p-c", "p-d", 2)]
    assert [p.documents for p in portions({}, size=3)] == [0]


def test_a_version_does_not_depend_on_how_many_processes_made_it(vault, tmp_path):
    one, two = run(vault, tmp_path / "one"), run(vault, tmp_path / "two", workers=2)
    assert one.name == two.name
    assert one.facts == two.facts
    assert one.facts["documents"] == 12
    found = {d.document_ref: d for d in read_documents(two.path / DOCUMENTS)}
    assert sum(d.labels.follows in found for d in found.values()) == 6
    assert not list(two.path.glob("*portion*"))


def test_a_broken_off_run_goes_on_where_it_was(vault, tmp_path, monkeypatch):
    whole, scrub, done = run(vault, tmp_path / "whole"), stage._scrub, []

    def breaks(task):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(task.portion.name)
        return scrub(task)

    monkeypatch.setattr(stage, "_scrub", breaks)
    with pytest.raises(KeyboardInterrupt):
        run(vault, tmp_path / "data")

    monkeypatch.setattr(stage, "_scrub", lambda task: done.append(task.portion.name) or scrub(task))
    assert run(vault, tmp_path / "data").name == whole.name
    assert done == ["portion-000000", "portion-000001", "portion-000002"]


def test_what_is_half_made_is_dropped_when_somebody_is_erased(vault, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "merged", lambda *given: pytest.fail("killed here"))
    with pytest.raises(pytest.fail.Exception):
        run(vault, tmp_path / "data")
    assert list((tmp_path / "data").rglob("portion-*/documents.parquet"))
    discard_unfinished(tmp_path / "data")
    assert not list((tmp_path / "data").rglob("*.parquet"))


def test_a_batch_of_people_who_all_opted_out_is_an_empty_version(vault, tmp_path):
    everybody = vault.patients_of("b1")
    version = deidentify_batch(vault, "b1", tmp_path, DeidSettings(tagger="none"), KEY, unusable=everybody)
    assert version.facts["documents"] == version.facts["patients"] == 0
    assert read_documents(version.path / DOCUMENTS) == []


WORKERS = """
import os, time
from preceptor.deid.portions import spread

def work(seconds):
    print(os.getpid(), flush=True)
    time.sleep(seconds)
    return 1

if __name__ == "__main__":
    list(spread(work, [60, 60], 2))
"""


def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(WORKERS)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(map(alive, workers))
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(alive, workers))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_text_that_breaks_the_engine_is_withheld_and_the_others_go_on(vault, tmp_path, monkeypatch):
    scrub = Deidentifier.scrub_patient

    def breaks(self, patient_ref, texts, record=None):
        if any("558242" in text for text in texts):
            raise ValueError("it quotes the note")
        return scrub(self, patient_ref, texts, record)

    monkeypatch.setattr(Deidentifier, "scrub_patient", breaks)
    version = run(vault, tmp_path / "data")
    withheld = read_rows(version.path / WITHHELD)
    assert {row["rule"] for row in withheld} == {"failed"}
    assert (len(withheld), version.facts["documents"]) == (2, 10)
    stopped = Reviewed(released={withheld[0]["document_ref"]: finding([Leak("failed", "IDNUM", 0, 0)])})
    again = deidentify_batch(
        vault, "b1", tmp_path / "data", DeidSettings(tagger="none", workers=1), KEY, reviewed=stopped
    )
    assert again.facts["documents"] == 10


@pytest.mark.parametrize("number", ["006-XX-4190", "xxx-xx-4190", "00B-45-4I90"])
def test_a_number_that_is_hidden_or_misread_in_part_gets_a_stand_in(number):
    engine = Deidentifier(DeidSettings(tagger="none"), KEY)
    text = f"Seen today. SSN: {number}. Well."
    for patient in range(20):
        (out,) = engine.scrub_patient(f"p-{patient}", [text])
        assert number not in out.text
