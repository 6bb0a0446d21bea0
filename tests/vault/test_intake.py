from __future__ import annotations

import json

import pytest

from preceptor.documents.intake import intake
from preceptor.documents.stage import corpus_batch, take_in_corpus
from preceptor.errors import UsageError
from preceptor.settings import IntakeSettings, load_settings, resolve_path
from preceptor.vault import Vault

KEY = bytes(range(32))


@pytest.fixture
def vault(tmp_path):
    opened = Vault(tmp_path / "vault", KEY)
    yield opened
    opened.close()


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "one.txt").write_text("Mr. Oyelaran has gout of the left foot.")
    (folder / "two.txt").write_text("Follow-up by telephone, the gout is better.")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 cut off")
    rows = [
        {"kind": "patient", "patient_id": "P1", "name": "Tunde Oyelaran", "mrn": "55-1"},
        {
            "kind": "document",
            "file": "one.txt",
            "patient_id": "P1",
            "note_type": "clinic note",
            "codes": {"M10.9": []},
        },
        {"kind": "document", "file": "two.txt", "patient_id": "P1"},
    ]
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_every_file_is_accepted_or_quarantined_and_the_rest_goes_on(vault, inbox):
    report = intake([inbox], vault, IntakeSettings())
    assert report.accepted == 2
    assert [q["rule"] for q in report.quarantined] == ["pdf-corrupt"]
    counts = vault.counts(report.batch)
    assert (counts.documents, counts.patients, counts.quarantined) == (2, 1, 1)


def test_documents_find_their_patient_and_labels(vault, inbox):
    report = intake([inbox], vault, IntakeSettings())
    documents = {d.file_name: d for d in vault.documents(report.batch, why="test")}
    assert documents["one.txt"].note_type == "clinic note"
    assert documents["one.txt"].labels.codes == {"M10.9": []}
    assert documents["one.txt"].patient_ref == documents["two.txt"].patient_ref
    assert vault.record(documents["two.txt"].patient_ref, why="test").names == ("Tunde Oyelaran",)


def test_the_same_again_gives_only_duplicates_and_the_same_batch(vault, inbox):
    first = intake([inbox], vault, IntakeSettings())
    manifest = vault.manifest(first.batch)
    again = intake([inbox], vault, IntakeSettings())
    assert (again.batch, again.accepted, again.duplicates) == (first.batch, 0, 2)
    assert vault.manifest(first.batch) == manifest


def test_killed_in_the_middle_and_repeated_gives_the_same_manifest(tmp_path, vault, inbox, monkeypatch):
    whole = Vault(tmp_path / "whole", KEY)
    batch = intake([inbox], whole, IntakeSettings()).batch

    class Killed(BaseException):
        pass

    put = vault.put_document
    calls = []

    def dies(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return put(*args, **kwargs)

    monkeypatch.setattr(vault, "put_document", dies)
    with pytest.raises(Killed):
        intake([inbox], vault, IntakeSettings())
    monkeypatch.undo()
    assert intake([inbox], vault, IntakeSettings()).batch == batch
    assert vault.manifest(batch) == whole.manifest(batch)


def test_a_mended_file_leaves_quarantine(vault, inbox):
    intake([inbox], vault, IntakeSettings(max_characters=30))
    assert len(intake([inbox], vault, IntakeSettings(max_characters=30)).quarantined) == 3
    report = intake([inbox], vault, IntakeSettings())
    assert report.accepted == 2
    assert vault.counts(report.batch).by_rule == {"pdf-corrupt": 1}


def test_what_is_quarantined_is_not_readable_on_the_disk(vault, inbox, tmp_path):
    (inbox / "oyelaran.bin").write_bytes(b"\x00\x01Oyelaran\xff\xfe" * 20)
    intake([inbox], vault, IntakeSettings())
    stored = b"".join(p.read_bytes() for p in (tmp_path / "vault").iterdir()).lower()
    assert b"oyelaran" not in stored


def test_an_empty_folder_makes_no_batch(vault, tmp_path):
    (tmp_path / "empty" / ".hidden").mkdir(parents=True)
    with pytest.raises(UsageError, match="There is no file in .*empty"):
        intake([tmp_path / "empty"], vault, IntakeSettings())
    assert vault.batches() == []


def test_a_missing_path_and_a_bad_source_are_usage_errors(vault, inbox):
    with pytest.raises(UsageError, match="no file or folder"):
        intake([inbox / "nowhere"], vault, IntakeSettings())
    with pytest.raises(UsageError, match="--source"):
        intake([inbox], vault, IntakeSettings(), source="Dr. Who")


def test_the_bundled_corpus_is_its_notes_and_nothing_else_of_the_folder(vault):
    """The generator and its README lie beside the notes; neither is a clinical document."""
    settings = load_settings("demo")
    batch = corpus_batch(vault, settings)
    take_in_corpus(vault, settings, batch)
    rows = [
        json.loads(line) for line in resolve_path(settings.corpus_records).read_text("utf-8").splitlines()
    ]
    named = {row["file"] for row in rows if row["kind"] == "document"}
    assert {d.file_name for d in vault.documents(batch, why="test")} == named
    assert vault.counts(batch).documents == len(named) >= 36 + 120
    assert all(vault.record(d.patient_ref, why="test") for d in vault.documents(batch, why="test"))
