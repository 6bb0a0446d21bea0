"""`preceptor deid`: de-identify notes outside the pipeline, and score it."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from preceptor.cli._common import emit, json_option, settings, workspace
from preceptor.cli.deid_review import review
from preceptor.errors import UsageError
from preceptor.progress import reporter
from preceptor.settings import resolve_path

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)


@click.group()
def deid() -> None:
    """De-identify notes outside the pipeline, and score it."""


@deid.command()
@click.argument("source", metavar="IN", type=FILE)
@click.argument("target", metavar="OUT", type=OUT)
@click.option("--records", type=FILE, help="JSONL of patients: {patient_id, name, dob, …}.")
@click.option("--spans", type=OUT, help="Write where what was found: JSONL of spans on the original text.")
@click.option("--mode", type=click.Choice(["surrogate", "mask"]), help="[default: the one of the settings]")
@click.option(
    "--policy",
    type=click.Choice(["safe_harbor", "limited_dataset", "shifted"]),
    help="What becomes of dates, ages and places. [default: the one of the settings]",
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@json_option
def scrub(
    source: Path,
    target: Path,
    records: Path | None,
    spans: Path | None,
    mode: str | None,
    policy: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Write the notes of IN (JSONL: note_id, text, patient_id?, patient?) without identifiers to OUT, in their order.

    Notes of one patient_id are read together; a note without one is a patient of its own.
    """
    from concurrent.futures import ProcessPoolExecutor

    from preceptor.deid.tagger.chosen import with_chosen_tagger
    from preceptor.keys import deid_secret
    from preceptor.versions import write_atomic

    known = {str(row.get("patient_id")): row for _, row in _rows(records)} if records else {}
    asked = {key: value for key, value in (("mode", mode), ("policy", policy)) if value}
    chosen = with_chosen_tagger(settings().deid.model_copy(update=asked), workspace().data)
    groups: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for line, row in _rows(source):
        if not isinstance(row.get("text"), str) or "note_id" not in row:
            raise UsageError(f"{source}, line {line}: a row needs note_id and text (rule row-incomplete).")
        if not isinstance(row.get("patient") or {}, dict):
            raise UsageError(f"{source}, line {line}: patient is an object (rule patient-not-object).")
        patient = row.get("patient_id")
        groups[f"patient {patient}" if patient is not None else f"note {line}"].append((line, row))
    secret = deid_secret(workspace(), settings().vault)
    tasks = [(name, notes, known, chosen, secret) for name, notes in groups.items()]
    progress, done = reporter("notes"), 0
    total = sum(len(notes) for notes in groups.values())
    found: dict[int, tuple[Any, str, list[dict[str, Any]]]] = {}
    pool = ProcessPoolExecutor(workers) if workers > 1 else None
    try:
        for results in pool.map(_scrub_patient, tasks) if pool else map(_scrub_patient, tasks):
            found.update(results)
            done += len(results)
            progress(done, total)
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)
    ordered = [found[line] for line in sorted(found)]
    write_atomic(target, "".join(_line({"note_id": n, "text": text}) for n, text, _ in ordered))
    if spans:
        write_atomic(spans, "".join(_line({"note_id": n, "spans": where}) for n, _, where in ordered))
    facts = {"notes": len(ordered), "spans": sum(len(where) for _, _, where in ordered), "out": str(target)}
    emit(facts, as_json, f"{facts['notes']} notes, {facts['spans']} identifiers: {target}")


@deid.command()
@click.argument("gold", type=FILE)
@click.argument("pred", type=FILE)
@json_option
def score(gold: Path, pred: Path, as_json: bool) -> None:
    """Compare PRED (note_id, spans) with GOLD (note_id, text, spans); misses are given by offset only."""
    from preceptor.deid.scoring import score as compare

    emit(compare([row for _, row in _rows(gold)], [row for _, row in _rows(pred)]), as_json)


@deid.command()
@click.argument("notes", metavar="[NOTES]...", nargs=-1, type=FILE)
@click.option("--passes", type=click.IntRange(min=1), help="Over all notes. [default: that of the recipe]")
@click.option(
    "--out", type=OUT, help="Copy the tagger here as well, for the setting deid.tagger of another home."
)
@json_option
def train(notes: tuple[Path, ...], passes: int | None, out: Path | None, as_json: bool) -> None:
    """Train the tagger on the notes that come with Preceptor, those of deid.annotations and NOTES.

    NOTES are marked-up text ([[DOCTOR|Quill]], .txt) or JSONL rows {note_id, text, spans, patient_id?}. It becomes a
    version of this home, which the setting `deid.tagger: trained` uses; nothing of a note's text is kept in it.
    """
    import dataclasses
    import shutil

    from preceptor.deid.tagger.chosen import FILE as MODEL_FILE
    from preceptor.deid.tagger.notes import annotated_notes
    from preceptor.deid.tagger.stage import make_tagger
    from preceptor.deid.tagger.training import Recipe

    recipe = dataclasses.replace(Recipe(), passes=passes) if passes else Recipe()
    more = [*(resolve_path(name) for name in settings().deid.annotations), *notes]
    version = make_tagger(workspace().data, annotated_notes(more), recipe, reporter("passes"))
    if out:
        shutil.copyfile(version.path / MODEL_FILE, out)
    facts = {"version": version.name, "path": str(version.path), "reused": version.reused, **version.facts}
    said = version.facts["tagger_alone"]["at_threshold"]["0.3"]
    emit(
        facts,
        as_json,
        f"tagger {version.name}, trained on {version.facts['trained_on']['notes']} notes: {version.path}\n"
        f"by itself, on patients it had not seen: entity recall {said['entity_recall']}, direct "
        f"{said['direct_recall']}, precision {said['char_precision']}",
    )


@deid.command()
@click.option("--batch", help="[default: the newest]")
@json_option
def report(batch: str | None, as_json: bool) -> None:
    """The risk report of a batch's clean version: counts, misses that reviewers found, k-anonymity, what stays."""
    from preceptor.cli.deid_review import clean_version, release_store
    from preceptor.privacy.report import write_report

    batch, version = clean_version(batch)
    page, found = write_report(version, release_store(), batch, workspace().reports)
    share = found["sample"]["share_of_documents_with_a_miss"]
    known = (
        f"{share['share']:.1%} of documents hold a miss (95 % interval {share['low']:.1%} to {share['high']:.1%})"
        if share["share"] is not None
        else "nobody has looked at the sample yet: `preceptor deid review list`"
    )
    emit(
        {**found, "page": str(page)},
        as_json,
        f"{found['documents']} documents, {found['withheld']} withheld, {found['identifiers']} identifiers; {known}.\n{page}",
    )


@deid.command()
@click.option("--batch", help="[default: the newest]")
@click.option("--as", "as_user", required=True, metavar="USER", help="Who signs: privacy or admin.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "--reason", required=True, metavar="TEXT", help="On what grounds; signed along. Name no patient."
)
@json_option
def sign(batch: str | None, as_user: str, password_stdin: bool, reason: str, as_json: bool) -> None:
    """Sign a batch's clean version under its policy, for instance that an expert determined the risk."""
    from preceptor.cli.deid_review import clean_version, release_store
    from preceptor.cli.users import read_password
    from preceptor.privacy import report as risk

    _, version = clean_version(batch)
    password = read_password(password_stdin, confirm=False)
    event = risk.sign(release_store(), version, as_user=as_user, password=password, reason=reason)
    facts = {"event": event.id, "subject": event.subject, "by": event.actor, "at": event.at, **event.payload}
    emit(facts, as_json, f"{event.actor} signed {event.subject} (event {event.id}).")


deid.add_command(review)


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: this is not UTF-8 text (rule not-utf8).") from None
    rows = []
    # Not splitlines(): JSON may hold a bare U+2028 or U+0085 inside a string.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            row = None
        if not isinstance(row, dict):
            raise UsageError(f"{path}, line {number}: this is not one JSON object (rule row-not-json).")
        rows.append((number, row))
    return rows


def _scrub_patient(task: tuple[Any, ...]) -> dict[int, tuple[Any, str, list[dict[str, Any]]]]:
    from preceptor.deid.engine import Deidentifier
    from preceptor.records import PatientRecord

    name, notes, known, chosen, secret = task
    record: PatientRecord | None = None
    for _, row in notes:
        for data in (row.get("patient"), known.get(str(row.get("patient_id")))):
            if data:
                more = PatientRecord.from_mapping(data, name)
                record = record.merged(more) if record else more
    scrubbed = Deidentifier(chosen, secret).scrub_patient(name, [row["text"] for _, row in notes], record)
    return {
        line: (
            row["note_id"],
            out.text,
            [
                {"start": s.start, "end": s.end, "type": s.type, "score": s.score, "source": s.source}
                for s in out.spans
            ],
        )
        for (line, row), out in zip(notes, scrubbed, strict=True)
    }


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
