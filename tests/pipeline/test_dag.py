"""The whole DAG, through the program that users call: what it leaves, what it must not leave, and what comes after."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from pipelines.stage_log import STAGES
from preceptor.settings import Workspace
from preceptor.vault import open_vault
from tests.pipeline.conftest import NEEDLES, PLANTED, ROOT, preceptor, write_config

ASSETS = {
    "raw_documents", "deidentified_documents", "curated_examples", "synthetic_examples", "fine_tuned_model",
    "evaluation_report", "candidate_version", "governance_papers", "drift_report",
}  # fmt: skip
GATES = {
    "raw_documents_gate", "deidentified_documents_gate", "curated_examples_gate", "synthetic_examples_gate",
    "data_sufficiency_gate", "evaluation_gate", "population_coverage",
}  # fmt: skip


@pytest.fixture
def instance(run):
    with dg.DagsterInstance.from_config(str(run.home / "dagster_home")) as found:
        yield found


def searchable(path: Path) -> bytes:
    """A file's bytes; of a Parquet file its values too, since compression would hide them."""
    data = path.read_bytes()
    if path.suffix == ".parquet":
        data += json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False).encode()
    return data.lower()


def found_in(data: bytes) -> list[str]:
    return [n for n in NEEDLES if _stands_in(n, data) or n.encode("utf-16-le") in data]


def _stands_in(needle: str, data: bytes) -> bool:
    """A short number is found as a number: its digits are in some digest or decimal fraction by chance (it happened)."""
    if needle.isdigit() and len(needle) < 7:
        return re.search(rb"(?<![0-9a-f.])" + needle.encode() + rb"(?![0-9a-f])", data) is not None
    return needle.encode() in data


def test_a_short_number_is_found_as_a_number():
    assert _stands_in("118834", b"accession no. s24-118834.") and _stands_in("66193", b'"id":"66193"')
    assert not _stands_in("118834", b"-2.118834051") and not _stands_in("66193", b"9c66193fe")


def test_the_run_ends_with_a_report_and_a_version_that_waits(run):
    assert Path(run.result["report"]).is_file()
    assert run.result["waiting"] == "preceptor/1"
    assert run.result["champion"] is None


def test_every_asset_is_materialised_with_metadata_and_every_gate_passed(run, instance):
    records = {key: instance.get_latest_materialization_event(dg.AssetKey(key)) for key in ASSETS}
    assert all(records.values()), [k for k, v in records.items() if v is None]
    assert all(r.asset_materialization.metadata for r in records.values())
    finished = instance.get_run_records()[0]
    checks = {
        e.dagster_event.event_specific_data.check_name: e.dagster_event.event_specific_data.passed
        for e in instance.all_logs(finished.dagster_run.run_id)
        if e.dagster_event and e.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
    }
    assert checks == dict.fromkeys(GATES, True)


def test_progress_names_each_stage(run):
    assert all(f"[{n}/{len(STAGES)}]" in run.output for n in range(1, len(STAGES) + 1))


def leaks(run):
    """Where a needle stands outside the vault, and how many files were searched."""
    searched, found = 0, []
    for top in (run.home, run.temp):
        for path in top.rglob("*"):
            relative = path.relative_to(top)
            if not path.is_file() or relative.parts[0] in ("vault", "keys"):
                continue
            searched += 1
            hits = found_in(searchable(path)) + [n for n in NEEDLES if n in str(relative).lower()]
            found += [f"{relative}: {hit}" for hit in hits]
    return found, searched


def test_the_canary_is_found_in_no_byte_outside_the_vault(run):
    found, searched = leaks(run)
    assert searched > 40
    assert found + [f"output: {hit}" for hit in found_in(run.output.lower().encode())] == []


def test_the_canary_was_really_there(run):
    """The search above means something: the documents were taken in, read and de-identified."""
    version = next((run.home / "data").glob("deid-corpus-*/*/manifest.json"))
    facts = json.loads(version.read_text())["facts"]
    rows = pq.read_table(version.parent / "documents.parquet").to_pylist()
    planted = [r for r in rows if "home log of his readings" in " ".join(r["text"].split())]
    assert len(planted) + facts["withheld"] >= 8
    assert len({r["format"] for r in planted}) >= 6
    assert len({r["patient_ref"] for r in planted}) == 1


def test_the_canary_was_taken_in_from_every_format_and_every_broken_file_is_in_quarantine(run):
    with closing(open_vault(Workspace(run.home))) as vault:
        batch = next(name for name in vault.batches() if name.startswith("corpus-"))
        (planted,) = [
            ref for ref in vault.patients_of(batch) if ref == vault.find_patient(PLANTED["patient_id"])
        ]
        documents = [vault.document(ref, why="test") for ref in vault.document_refs(planted)]
        rules = vault.counts(batch).by_rule
    assert {d.format for d in documents} == {
        "text", "pdf", "docx", "rtf", "html", "ccda", "fhir", "hl7v2", "jsonl", "csv",
    }  # fmt: skip
    assert len(documents) == 12
    assert rules == {
        "pdf-corrupt": 1, "archive-corrupt": 1, "archive-path": 1, "json-unknown": 1, "hl7-corrupt": 1,
        "xml-corrupt": 1, "rtf-corrupt": 1, "table-columns": 1, "table-corrupt": 1,
    }  # fmt: skip


def test_the_vault_itself_is_not_readable(run):
    stored = b"".join(p.read_bytes() for p in (run.home / "vault").iterdir()).lower()
    assert found_in(stored) == []
    encoded = [base64.b64encode(n.encode())[:-4] for n in (PLANTED["name"], PLANTED["email"])]
    assert not any(e.lower() in stored for e in encoded)


def test_a_second_run_does_no_stages_work_again(run, instance):
    before = {p: p.stat().st_mtime_ns for p in (run.home / "data").rglob("manifest.json")}
    models = sorted((run.home / "models" / "model").iterdir())
    again = run.call("run", "--profile", "smoke", "--json")
    assert again.returncode == 0, again.stderr[-2000:]
    assert {p: p.stat().st_mtime_ns for p in (run.home / "data").rglob("manifest.json")} == before
    assert sorted((run.home / "models" / "model").iterdir()) == models
    result = json.loads(again.stdout)
    assert (result["waiting"], result["report"]) == (run.result["waiting"], run.result["report"])
    assert result["demo_approver_password"] is None


def test_a_killed_run_is_closed_by_the_next_and_two_at_once_are_refused(run, instance):
    from pipelines.definitions import defs

    killed = instance.create_run_for_job(
        defs.resolve_job_def("pipeline"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"preceptor/command": "run"},
    )
    with (run.home / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = run.call("run", "--profile", "smoke")
        assert refused.returncode == 2
        assert "Another `preceptor run`" in refused.stderr
    assert instance.get_run_by_id(killed.run_id).status is dg.DagsterRunStatus.STARTED
    assert run.call("run", "--profile", "smoke").returncode == 0
    assert instance.get_run_by_id(killed.run_id).status is dg.DagsterRunStatus.FAILURE


def test_lineage_leads_back_to_documents(run):
    found = json.loads(run.call("lineage", "preceptor/1", "--json").stdout)
    assert {"curated", "synthetic"} <= {d["stage"] for d in found["data"]}
    assert found["missing"] == []
    assert found["documents"] and all(re.fullmatch(r"d-[0-9a-f]{16}", d) for d in found["documents"])


def test_the_learning_curve_is_measured_and_kept(run):
    done = run.call("data", "sufficiency", "--curve", "--json", profile="smoke")
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    sizes = [n for n, _ in found["curve"]["points"]]
    assert len(sizes) == 4
    assert sizes == sorted(sizes)
    assert sizes[-1] == sum(facts["train"] for facts in found["tasks"].values())
    validated = [facts["curve"]["points"] for facts in found["tasks"].values() if facts["curve"]["points"]]
    assert validated and all(1 <= len(points) <= 4 for points in validated)
    assert {facts["verdict"] for facts in found["tasks"].values()} <= {
        "cannot tell",
        "more would help",
        "enough",
    }
    assert (Path(found["path"]) / "learning-curve.png").read_bytes().startswith(b"\x89PNG")
    assert found_in(done.stdout.lower().encode()) == []
    again = run.call("data", "sufficiency", "--curve", "--json", profile="smoke")
    assert json.loads(again.stdout)["version"] == found["version"]
    assert "train:" not in again.stderr


def test_the_ablation_trains_with_and_without_the_synthetic_rows(run):
    done = run.call("data", "ablation", "--seeds", "1", "--json", profile="smoke")
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["rows"] > 0
    assert [len(found[arm]) for arm in ("with", "without")] == [1, 1]
    assert found["verdict"] == "cannot tell"  # of one seed
    assert "cannot tell" in run.call("data", "card", profile="smoke").stdout


def test_the_data_card_is_written_and_counts_what_is_there(run):
    done = run.call("data", "card", "--json", profile="smoke")
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    shown = json.loads(run.call("data", "show", "--json", profile="smoke").stdout)
    curated = next(v for v in shown if v["stage"] == "curated" and v["newest"])
    assert found["version"] == curated["version"]
    assert found["total"]["examples"] == curated["facts"]["examples"]
    folder = Path(found["path"])
    assert json.loads((folder / "croissant.json").read_text())["@type"] == "sc:Dataset"
    assert found_in((folder / "README.md").read_bytes().lower()) == []


def test_nor_after_brief_trainings_cards_notes_and_a_merge(run, tmp_path):
    recipe = (
        "--recipe",
        str(ROOT / "recipes" / "train" / "continued-pretraining-cpu.yaml"),
        "--set",
        "max_steps=2",
    )
    done = run.call("train", *recipe, "--json", profile="smoke")
    assert done.returncode == 0, done.stderr[-2000:]
    trained = json.loads(done.stdout)
    assert trained["objective"] == "notes"
    merged = run.call(
        "models", "merge", trained["version"], str(run.temp / "merged"), "--json", profile="smoke"
    )
    assert merged.returncode == 0, merged.stderr[-2000:]
    assert json.loads(merged.stdout)["same_first_choice"] > 0.9
    found, searched = leaks(run)
    assert searched > 60
    assert (
        found + [f"output: {hit}" for hit in found_in((done.stderr + merged.stderr).lower().encode())] == []
    )
    shutil.rmtree(run.temp / "merged")


def test_approval_promotion_and_rollback(run):
    """In one story: nothing moves without a signature; the sensor starts the promotion; rollback needs a previous."""
    refused = run.call("release", "promote", "preceptor/1", "--json")
    assert refused.returncode == 3
    refused = run.call("release", "rollback", "--json")
    assert refused.returncode == 3
    assert "no previous" in refused.stderr
    password = run.result["demo_approver_password"]
    approve = (
        "release",
        "approve",
        "preceptor/1",
        "--as",
        "demo-approver",
        "--reason",
        "read it",
        "--password-stdin",
    )
    assert run.call(*approve, stdin="not the password\n").returncode == 3
    approved = run.call(*approve, stdin=password + "\n")
    assert approved.returncode == 0, approved.stderr
    assert sensor_promotes(run) == "preceptor/1"
    rows = json.loads(run.call("release", "list", "--json").stdout)
    assert [(r["version"], r["aliases"], r["status"]) for r in rows] == [(1, ["champion"], "champion")]
    assert run.call("release", "verify").returncode == 0
    refused = run.call("release", "rollback", "--json")
    assert refused.returncode == 3
    assert "no previous" in refused.stderr


PROMOTE = """
import dagster as dg, json, sys
from pipelines.definitions import defs
from pipelines.sensors import approvals
from resources import WorkspaceResource
WORKSPACE = {"workspace": WorkspaceResource()}
with dg.DagsterInstance.get() as instance:
    with dg.build_sensor_context(instance=instance, definitions=defs, resources=WORKSPACE) as context:
        tick = approvals.evaluate_tick(context)
    request, = tick.run_requests
    result = defs.resolve_job_def("promotion").execute_in_process(instance=instance, run_config=request.run_config)
    assert result.success
    with dg.build_sensor_context(instance=instance, definitions=defs, resources=WORKSPACE) as context:
        assert approvals.evaluate_tick(context).run_requests == []
metadata = result.asset_materializations_for_node("champion")[0].metadata
print(json.dumps(metadata["champion"].value))
"""


def sensor_promotes(run) -> str:
    """What the daemon does: ask the sensor, start the run it requests."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROMOTE],
        env=os.environ
        | {
            "PRECEPTOR_HOME": str(run.home),
            "PRECEPTOR_CONFIG": str(run.config),
            "PRECEPTOR_PROFILE": "smoke",
            "DAGSTER_HOME": str(run.home / "dagster_home"),
        },
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_a_forgotten_patient_is_gone_from_everything_and_stays_away(run):
    """After the promotion, so that a champion is reached too."""
    planted = next((run.home / "data").glob("deid-corpus-*/*/documents.parquet"))
    patient_ref = next(
        row["patient_ref"] for row in pq.read_table(planted).to_pylist() if "home log" in row["text"]
    )
    report = Path(run.result["report"])
    assert pq.read_table(report.parent / "predictions.parquet").num_rows
    killed = planted.parent.parent / ".0123456789ab.part" / "portion-000000"  # what a killed run leaves
    killed.mkdir(parents=True)
    shutil.copy(planted, killed)
    done = run.call("forget", "--patient", PLANTED["patient_id"], "--json")
    assert done.returncode == 0, done.stderr
    forgotten = json.loads(done.stdout)
    assert forgotten["patient"] == patient_ref
    assert forgotten["documents"] >= 8
    assert "preceptor/1" in forgotten["models"]
    assert found_in(done.stdout.lower().encode()) == []
    for path in run.home.rglob("*.parquet"):
        table = pq.read_table(path)
        assert patient_ref not in table.column("patient_ref").to_pylist(), path
        hashes = json.loads((path.parent / "manifest.json").read_text())["files"]
        assert hashes[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "has been erased" in report.read_text()
    assert not (report.parent / "predictions.parquet").exists()
    assert not list((run.home / "reports" / ".answers").glob("*"))
    assert not (run.home / "reports" / "curation").exists()
    assert run.call("release", "verify").returncode == 0
    row = json.loads(run.call("release", "list", "--json").stdout)[0]
    assert row["barred"]
    assert (
        run.call("forget", "--patient", PLANTED["patient_id"], "--json").returncode == 0
    )  # again: nothing left
    again = run.call("run", "--profile", "smoke", "--json")
    assert again.returncode == 0, again.stderr[-2000:]
    made = json.loads(again.stdout)
    assert made["waiting"] == "preceptor/2"
    latest = run.home / "data" / "curated" / (run.home / "data" / "curated" / "latest").read_text().strip()
    rows = pq.read_table(latest / "examples.parquet").to_pylist()
    assert rows
    assert patient_ref not in {row["patient_ref"] for row in rows}


def test_a_clinicians_correction_becomes_the_reference(tmp_path, run):
    password = "correct horse battery\n"
    done = run.call("users", "add", "rita", "--role", "reviewer", "--password-stdin", stdin=password)
    assert done.returncode == 0, done.stderr
    listed = json.loads(run.call("data", "review", "list", "--use-case", "summary", "--json").stdout)
    example = listed["open"][0]["example"]
    assert listed["open"][0]["split"] == "test"
    assert "--- reference ---" in run.call("data", "review", "show", example).stdout
    answer = tmp_path / "answer.txt"
    answer.write_text("A stable course; treatment goes on as before.")
    signed = ("--verdict", "correct", "--answer", str(answer), "--as", "rita", "--password-stdin", "--json")
    refused = run.call("data", "review", "decide", example, *signed, stdin="wrong\n")
    assert refused.returncode != 0
    done = run.call("data", "review", "decide", example, *signed, stdin=password)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["by"] == "rita"
    again = run.call("run", "--profile", "smoke", "--until", "curated_examples", "--json")
    assert again.returncode == 0, again.stderr[-2000:]
    assert json.loads(again.stdout)["until"] == "curated_examples"
    latest = run.home / "data" / "curated" / (run.home / "data" / "curated" / "latest").read_text().strip()
    rows = pq.read_table(latest / "examples.parquet").to_pylist()
    corrected = [row for row in rows if row["reviewer"] == "rita"]
    assert [row["answer"] for row in corrected] == [answer.read_text()]
    assert [row["split"] for row in corrected] == ["test"]


def test_a_failing_gate_stops_what_is_downstream_and_says_why(tmp_path, run):
    corpus = tmp_path / "corpus"
    (corpus / "documents").mkdir(parents=True)
    (corpus / "documents" / "good.txt").write_text(
        "Seen today for a cough. Lungs are clear. Return in two weeks."
    )
    (corpus / "documents" / "bad.pdf").write_bytes(b"%PDF-1.7 cut off")
    (corpus / "records.jsonl").write_text("")
    config = write_config(tmp_path / "config.yaml", corpus)
    done = preceptor(tmp_path / "home", config, tmp_path, "run", "--profile", "smoke")
    assert done.returncode == 3
    assert "quarantine-within-limit" in done.stderr
    assert not (tmp_path / "home" / "data" / "curated").exists()
    assert not list((tmp_path / "home" / "data").glob("deid-*"))
