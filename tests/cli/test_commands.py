"""The commands as a person or a script gives them: exit codes, one JSON document, errors that show no text."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from preceptor import __version__
from preceptor.cli import COMMANDS, main

NAME = "Wilhelmina Quackenbush"
NOTES = [
    {
        "note_id": "b",
        "patient_id": "1",
        "patient": {"name": NAME, "mrn": "QZ-778812"},
        "text": f"😀 {NAME}, MRN QZ-778812, has asthma.",
    },
    {"note_id": "a", "text": "Call Mr. Throckmorton at (907) 555-0173 about the spirometry."},
    {"note_id": "c", "patient_id": "1", "text": "Ms. Quackenbush\u2028was seen again; peak flow is normal."},
]


@pytest.fixture
def call(tmp_path, capfd):
    """Call a command in an empty home; returns its JSON if asked for, otherwise all it said."""

    def run(*arguments, code=0, options=()):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(tmp_path / "home"), *map(str, options), *map(str, arguments)])
        said = capfd.readouterr()
        assert ended.value.code == code, said.err
        assert "Traceback" not in said.err
        return json.loads(said.out) if "--json" in arguments and said.out else said.out + said.err

    return run


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text("".join(json.dumps(n, ensure_ascii=False) + "\n" for n in NOTES), encoding="utf-8")
    return path


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_help_lists_every_command_and_loads_no_heavy_library():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\nfrom preceptor.cli import main\ntry:\n    main(['--help'])\nfinally:\n"
            "    print(sorted({'torch', 'dagster', 'mlflow', 'spacy', 'yaml', 'pydantic'} & set(sys.modules)))",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(f"  {name} " in said for name in COMMANDS)
    assert said.strip().endswith("[]")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(call, name):
    assert "Usage: preceptor" in call(name, "--help")


def test_the_version(call):
    assert __version__ in call("--version")


def test_wrong_usage_and_wrong_configuration_are_2(call, tmp_path):
    call("no-such-command", code=2)
    call("intake", code=2)
    config = tmp_path / "mine.yaml"
    config.write_text("deid:\n  treshold: 0.4\n")
    said = call("intake", tmp_path, options=("--config", config), code=2)
    assert str(config) in said and "line 2" in said and "treshold" in said


def test_doctor_reports_each_line_with_a_state(call):
    found = call("doctor", "--json")
    assert {line["check"] for line in found} >= {"python", "disk", "base model", "master key", "ports"}
    assert {line["state"] for line in found} <= {"ok", "warning"}
    assert all(line["remedy"] for line in found if line["state"] == "warning")


def test_models_are_listed_and_shown(call):
    names = [m["name"] for m in call("models", "list", "--json")]
    assert "smollm2-135m-instruct" in names
    shown = call("models", "show", names[0], "--json")
    assert {"licence", "parameters", "context", "source", "here"} <= set(shown)
    assert "models list" in call("models", "show", "gpt-0", code=2)


def test_intake_accounts_for_every_file_and_recognises_it_again(call, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "note.txt").write_text("Seen today for a cough. Lungs are clear.")
    (folder / f"{NAME} broken.pdf").write_bytes(b"%PDF-1.7 cut off")
    first = call("intake", folder, "--json")
    assert (first["accepted"], first["duplicates"], len(first["quarantined"])) == (1, 0, 1)
    assert first["quarantined"][0]["rule"].startswith("pdf-")
    again = call("intake", folder, "--json")
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert "nowhere" in call("intake", tmp_path / "nowhere", code=2)


def test_scrub_keeps_the_order_and_gives_spans_in_code_points(call, notes, tmp_path):
    out, spans = tmp_path / "out.jsonl", tmp_path / "spans.jsonl"
    assert call("deid", "scrub", notes, out, "--spans", spans, "--json")["notes"] == 3
    assert [row["note_id"] for row in rows(out)] == ["b", "a", "c"]
    text = out.read_text(encoding="utf-8")
    assert not any(w in text for w in ("Wilhelmina", "Quackenbush", "QZ-778812", "Throckmorton", "555-0173"))
    assert all(word in text for word in ("asthma", "spirometry", "peak flow is normal"))
    found = {
        NOTES[i]["text"][s["start"] : s["end"]] for i, row in enumerate(rows(spans)) for s in row["spans"]
    }
    assert {"QZ-778812", "(907) 555-0173"} <= found
    assert {"Wilhelmina", "Quackenbush", "Throckmorton"} <= {
        word for value in found for word in value.split()
    }


def test_scrub_gives_the_same_with_two_workers_and_masks_by_type(call, notes, tmp_path):
    one, two, masked = (tmp_path / f"{n}.jsonl" for n in ("one", "two", "masked"))
    call("deid", "scrub", notes, one)
    call("deid", "scrub", notes, two, "--workers", 2)
    assert one.read_bytes() == two.read_bytes()
    call("deid", "scrub", notes, masked, "--mode", "mask")
    assert "PATIENT" in rows(masked)[0]["text"]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (f"{NAME} is no JSON", "row-not-json"),
        (json.dumps({"note_id": 1, "words": NAME}), "row-incomplete"),
        (json.dumps({"note_id": 1, "text": NAME, "patient": NAME}), "patient-not-object"),
    ],
)
def test_scrub_names_the_line_and_the_rule_of_bad_input_and_never_its_text(call, tmp_path, line, rule):
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps(NOTES[1]) + "\n" + line + "\n")
    said = call("deid", "scrub", bad, tmp_path / "out.jsonl", code=2)
    assert "bad.jsonl, line 2" in said and rule in said
    assert "Quackenbush" not in said
    assert not (tmp_path / "out.jsonl").exists()


def test_scrub_refuses_what_is_no_text(call, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b"\xff\xfe\x00{")
    assert "not-utf8" in call("deid", "scrub", bad, tmp_path / "out.jsonl", code=2)


def test_score_of_a_perfect_and_of_an_empty_prediction(call, tmp_path):
    gold, none = tmp_path / "gold.jsonl", tmp_path / "none.jsonl"
    row = {"note_id": "1", "text": NAME, "spans": [{"start": 0, "end": len(NAME), "type": "PATIENT"}]}
    gold.write_text(json.dumps(row) + "\n")
    none.write_text(json.dumps({"note_id": "1", "spans": []}) + "\n")
    perfect = call("deid", "score", gold, gold, "--json")
    empty = call("deid", "score", gold, none, "--json")
    assert perfect["direct_recall"] == perfect["char_precision"] == 1.0 and perfect["misses"] == []
    assert empty["direct_recall"] == 0.0 and len(empty["misses"]) == 1
    assert "Quackenbush" not in json.dumps(empty)


def test_commands_without_anything_to_work_on_say_what_comes_first(call):
    assert "preceptor run" in call("data", "show")
    assert "preceptor run" in call("release", "list")
    assert "preceptor run" in call("train", code=1)
    assert "preceptor run" in call("evaluate", code=2)
    assert "no champion" in call("monitor")
    call("lineage", "preceptor/1", code=2)
    assert "knows no patient" in call("forget", "--patient", "nobody", code=2)


def test_an_unforeseen_error_shows_its_place_and_not_its_text(call, monkeypatch):
    def fails(*_):
        raise ValueError(f"could not read {NAME}")

    monkeypatch.setattr("preceptor.cli.data._versions", fails)
    said = call("data", "show", code=1)
    assert "ValueError, at test_commands.py" in said
    assert "Quackenbush" not in said


def test_nothing_starts_on_a_taken_port(call):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} is in use; --dagster-port" in call("ui", "--dagster-port", port, code=2)
        assert f"Port {port} is in use; --port" in call("review", "--port", port, code=2)
        assert f"Port {port} is in use; --port" in call("serve", "--port", port, code=2)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_asks_this_program(call, shell):
    assert "_PRECEPTOR_COMPLETE" in call("completion", shell)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("preceptor re", ["review", "release", "restore"]),
        ("preceptor evaluate --ar", ["--arm"]),
        ("preceptor evaluate --arm fi", ["finetuned", "finetuned+rag"]),
        ("preceptor release pap", ["papers"]),
    ],
)
def test_commands_options_and_choices_are_completed(monkeypatch, capsys, typed, offered):
    monkeypatch.setenv("_PRECEPTOR_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    with pytest.raises(SystemExit):
        main([])
    assert [line.partition(",")[2] for line in capsys.readouterr().out.split()] == offered
