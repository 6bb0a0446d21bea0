"""What `preceptor init` says and writes for documents of one's own."""

from __future__ import annotations

import json
import math

import pytest

from preceptor import starting
from preceptor.cli import main
from preceptor.errors import UsageError
from preceptor.settings import CurationSettings, GateSettings, load_settings
from preceptor.starting import Survey, outlook, survey, write_start
from preceptor.training.recipe import load_recipe

SECRET = "Quillfeather"


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "my notes: 2026"  # what YAML would read otherwise
    folder.mkdir()
    (folder / "a.txt").write_text(f"Seen: {SECRET}")
    (folder / "b.TXT").write_text("Seen.")
    (folder / "rows.csv").write_text('text;patient_id\n"one,\nof four\n\nlines";1\ntwo;2\n\n')
    (folder / "rows.jsonl").write_text('{"text": "x"}\n' * 3)
    (folder / "old.zip").write_bytes(b"PK")
    (folder / ".hidden").write_text("no")
    (folder / "records.jsonl").write_text(
        '{"kind": "patient", "patient_id": "1"}\n{"kind": "document", "file": "a.txt", "patient_id": "1"}\n'
        '{"patient_id": "2", "name": "A Person"}\n{"kind": "patient", "patient_id": "2", "mrn": "77"}\n'
    )
    return folder


def test_documents_are_counted_without_reading_them(notes):
    found = survey(notes)
    assert found.files == {".txt": 2, ".csv": 1, ".jsonl": 1, ".zip": 1}
    assert (found.documents, found.archives, found.patients) == (2 + 2 + 3, 1, 2)
    assert found.records == notes / "records.jsonl"


def test_a_wrong_row_of_the_records_is_named_and_not_quoted(notes):
    (notes / "records.jsonl").write_text(f'{{"kind": "person", "name": "{SECRET}"}}\n')
    with pytest.raises(UsageError, match="records.jsonl, line 1") as told:
        survey(notes)
    assert SECRET not in str(told.value)


def test_an_empty_folder_is_said_to_be_empty(tmp_path):
    with pytest.raises(UsageError, match="no file in .* Name the folder"):
        survey(tmp_path)


@pytest.mark.parametrize("gpu", [False, True])
def test_what_is_written_is_read_back_as_settings_and_recipe(notes, tmp_path, gpu):
    config, recipe = write_start(notes, notes / "records.jsonl", tmp_path / "start", gpu)
    given = load_settings(config=config)
    assert given.corpus == str(notes) and given.corpus_records == str(notes / "records.jsonl")
    assert given.training.recipe == str(recipe) and not given.demo_approver
    assert load_recipe(recipe).method.name == ("qlora" if gpu else "lora")
    assert "#" in config.read_text() and "#" in recipe.read_text()


def test_without_records_none_are_named(notes, tmp_path):
    config, _ = write_start(notes, None, tmp_path / "start")
    assert load_settings(config=config).corpus_records is None


def test_what_somebody_may_have_changed_is_not_written_over(notes, tmp_path):
    config, recipe = write_start(notes, None, tmp_path / "start")
    config.unlink()
    recipe.write_text("mine")
    with pytest.raises(UsageError, match="recipe.yaml is there already"):
        write_start(notes, None, tmp_path / "start")
    assert recipe.read_text() == "mine" and not config.exists()


def said(documents, patients):
    return " ".join(
        outlook(Survey({".txt": documents}, documents, 0, None, patients), CurationSettings(), GateSettings())
    )


def test_twenty_documents_are_told_that_they_prove_little():
    few = said(20, None)
    assert "about 4 are tested on" in few and "Expect it to refuse" in few and "No records file" in few
    assert f"{100 * 2.8 * 0.2 / math.sqrt(4):.0f} points" in few


def test_many_patients_are_not_told_to_expect_a_refusal():
    many = said(5000, 2000)
    assert "about 400 are tested on" in many and "refuse" not in many and "3 points" in many
    assert "only proves that every joint holds" in said(3, 3)


def test_the_command_tells_the_next_ones_and_no_word_of_a_document(notes, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["init", str(notes), "--to", str(tmp_path / "start"), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert (
        not ended.value.code
        and facts["documents"] == 7
        and facts["next"][0].startswith("export PRECEPTOR_HOME=")
    )
    assert SECRET not in json.dumps(facts)
    with pytest.raises(SystemExit) as again:
        main(["init", str(notes), "--to", str(tmp_path / "start")])
    captured = capsys.readouterr()
    assert again.value.code == 2 and "there already" in captured.err


def test_the_commands_that_it_tells_are_there():
    from preceptor.cli.run import STAGES

    told = " ".join(starting.next_commands("my config", "home", "preceptor"))
    assert "PRECEPTOR_CONFIG='my config'" in told
    assert "--until curated_examples" in told and "curated_examples" in STAGES
