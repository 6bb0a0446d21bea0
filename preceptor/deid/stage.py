"""The de-identification stage: a batch of the vault in, a version of clean documents out."""

from __future__ import annotations

import collections
import hashlib
import hmac
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from preceptor.deid import VERSION
from preceptor.deid.anonymity import anonymity
from preceptor.deid.batch import DeidResult, scrub_documents
from preceptor.deid.detection import tagger_of
from preceptor.deid.engine import Deidentifier
from preceptor.deid.policies import POLICIES
from preceptor.deid.portions import Portion, finished, keep, merged, portions, spread, summed
from preceptor.deid.reviewed import Reviewed
from preceptor.deid.tagger.chosen import with_chosen_tagger
from preceptor.deid.types import KEPT
from preceptor.progress import Progress, silent
from preceptor.quality import require
from preceptor.records import DeidentifiedDocument, Document, Labels, PatientRecord
from preceptor.settings import DeidSettings
from preceptor.tables import DOCUMENTS, write_documents, write_rows
from preceptor.vault import Vault
from preceptor.versions import DatasetVersion, latest, make_version

AUDIT, DOUBTS, WITHHELD = "audit.parquet", "doubts.parquet", "withheld.parquet"


def stage_of(batch: str) -> str:
    """The name of the stage of a batch: each batch has its own line of versions."""
    return f"deid-{batch}"


def deidentify_batch(
    vault: Vault,
    batch: str,
    data: Path,
    settings: DeidSettings,
    secret: bytes,
    on_progress: Progress = silent,
    unusable: Collection[str] = (),
    reviewed: Reviewed | None = None,
) -> DatasetVersion:
    """Make the clean version of a batch: documents.parquet, audit.parquet (where what was found: offsets and types,
    no text), withheld.parquet and doubts.parquet (which document the leak check stopped or wondered at, by which rule).

    Documents of patients in `unusable` (who opted out) are not even opened. A document in which the independent leak check finds more than a
    doubt is not in documents.parquet, unless somebody looked at just that and found it clean (`reviewed`). Facts: documents,
    withheld, spans, spans by type and by layer, leaks by rule, k-anonymity, and what the policy states of each identifier.

    The batch is read in portions of whole patients, several at once in `settings.workers` processes; a killed run goes on
    after the last portion that was finished.
    """
    settings = with_chosen_tagger(settings, data)
    tagger = tagger_of(settings.tagger)
    said = reviewed or Reviewed()
    left_out = sorted(vault.patients_of(batch).intersection(unusable))

    def write(folder: Path) -> dict[str, Any]:
        counts = {ref: n for ref, n in vault.documents_by_patient(batch).items() if ref not in left_out}
        wanted = portions(counts)
        missing = [portion for portion in wanted if not finished(folder, portion)]
        tasks = (
            _read(vault, batch, portion, left_out, _Process(folder, settings, secret, said))
            for portion in missing
        )
        total = sum(counts.values())
        done = total - sum(portion.documents for portion in missing)
        workers = min(settings.workers or len(os.sched_getaffinity(0)), len(missing))
        for count in spread(_scrub, tasks, workers) if workers > 1 else map(_scrub, tasks):
            done += count
            on_progress(done, total)
        return {**_facts(merged(folder, wanted)), "policy": POLICIES[settings.policy].statement()}

    return make_version(
        data,
        stage_of(batch),
        inputs={batch: vault.manifest(batch)},
        # The key is part of what made it; only a hash of it may be written down.
        config={
            "deid": settings.model_dump(mode="json", exclude={"tagger", "annotations", "workers"}),
            "tagger": tagger.digest if tagger else None,
            "key": hashlib.sha256(secret).hexdigest()[:12],
            **({"left_out": left_out} if left_out else {}),
            **({"reviewed": said.facts()} if said != Reviewed() else {}),
        },
        code=VERSION,
        write=write,
        resume=True,
    )


@dataclass(frozen=True, slots=True)
class _Process:
    """What is the same for all portions of a batch."""

    folder: Path
    settings: DeidSettings
    secret: bytes = field(repr=False)
    reviewed: Reviewed


@dataclass(frozen=True, slots=True)
class _Task:
    process: _Process
    batch: str
    portion: Portion
    documents: list[Document] = field(repr=False)
    records: dict[str, PatientRecord] = field(repr=False)


def _read(vault: Vault, batch: str, portion: Portion, left_out: Collection[str], process: _Process) -> _Task:
    why = "de-identification"
    between = (portion.first, portion.last)
    documents = list(vault.documents(batch, why=why, without=left_out, patients=between))
    records = vault.records({d.patient_ref for d in documents}, why=why)
    return _Task(process, batch, portion, documents, records)


def _scrub(task: _Task) -> int:
    """De-identify one portion and keep it; return how many documents were in it."""
    process = task.process
    engine = Deidentifier(process.settings, process.secret)
    results = [
        replace(r, leaks=process.reviewed.judge(r.document_ref, r.leaks, len(r.text)))
        for r in scrub_documents(task.documents, task.records, engine)
    ]
    by_file = {(d.patient_ref, d.file_name): d.document_ref for d in task.documents}
    follows = {
        d.document_ref: by_file.get((d.patient_ref, d.labels.follows))
        for d in task.documents
        if d.labels.follows
    }
    texts = {d.document_ref: d.text for d in task.documents}

    def write(folder: Path) -> dict[str, Any]:
        kept = [r for r in results if all(leak.is_doubt for leak in r.leaks)]
        withheld = [r for r in results if not all(leak.is_doubt for leak in r.leaks)]
        write_documents(folder / DOCUMENTS, [_document(r, task.batch, follows, process.secret) for r in kept])
        write_rows(folder / AUDIT, _audit(results), _AUDIT_COLUMNS)
        write_rows(folder / DOUBTS, _leaks(kept), LEAK_COLUMNS)
        write_rows(folder / WITHHELD, _leaks(withheld), LEAK_COLUMNS)
        return _counts(results, kept) | {"stays": _quasi_identifiers(kept, texts)}

    keep(process.folder, task.portion, write)
    return len(task.documents)


def usable_versions(data: Path, batches: Sequence[str]) -> list[DatasetVersion]:
    """The newest clean version of each batch that has one. Raises `GateRefused` for one that did not pass its gate."""
    found = [latest(data, stage_of(batch)) for batch in batches]
    versions = [v for v in found if v is not None]
    for version in versions:
        require(data, "deidentified_documents", version.name)
    return versions


_AUDIT_COLUMNS = {
    "document_ref": "string",
    "patient_ref": "string",
    "start": "int",
    "end": "int",
    "type": "string",
    "source": "string",
    "score": "float",
}
LEAK_COLUMNS = {
    "document_ref": "string",
    "patient_ref": "string",
    "rule": "string",
    "type": "string",
    "start": "int",
    "end": "int",
}


def _document(
    result: DeidResult, batch: str, follows: Mapping[str, str | None], secret: bytes
) -> DeidentifiedDocument:
    return DeidentifiedDocument(
        document_ref=result.document_ref,
        patient_ref=result.patient_ref,
        batch=batch,
        note_type=result.note_type,
        specialty=result.specialty,
        encounter=_opaque(result.encounter, secret),
        format=result.format,
        text=result.text,
        labels=Labels(
            result.codes,
            result.reference_summary,
            tuple(result.differential),
            follows.get(result.document_ref),
        ),
        sex=result.sex,
        age_band=result.age_band,
        author_role=result.author_role,
        year=result.year,
    )


def _opaque(encounter: str | None, secret: bytes) -> str | None:
    """An encounter number identifies; what the pipeline needs of it is only which documents share one."""
    return "e-" + hmac.new(secret, encounter.encode(), "sha256").hexdigest()[:12] if encounter else None


def _audit(results: Sequence[DeidResult]) -> list[dict[str, Any]]:
    return [
        {
            "document_ref": r.document_ref,
            "patient_ref": r.patient_ref,
            "start": s.start,
            "end": s.end,
            "type": s.type,
            "source": s.source,
            "score": s.score,
        }
        for r in results
        for s in r.spans
    ]


def _leaks(results: Sequence[DeidResult]) -> list[dict[str, Any]]:
    return [
        {
            "document_ref": r.document_ref,
            "patient_ref": r.patient_ref,
            "rule": leak.rule,
            "type": leak.type,
            "start": leak.start,
            "end": leak.end,
        }
        for r in results
        for leak in r.leaks
    ]


def _quasi_identifiers(
    kept: Sequence[DeidResult], texts: Mapping[str, str]
) -> dict[str, dict[str, list[str]]]:
    """For each patient what stays and could single them out: diagnoses by category, specialties, sex, age
    band, and values kept in texts."""
    found: dict[str, dict[str, set[str]]] = {}
    for r in kept:
        mine = found.setdefault(r.patient_ref, collections.defaultdict(set))
        mine["specialties"].add(r.specialty)
        mine["sex"].update([r.sex] if r.sex else [])
        mine["age band"].update([r.age_band] if r.age_band else [])
        mine["diagnoses"].update(code[:3] for code in r.codes)  # ICD-10-CM categories
        for s in r.spans:
            if s.type in KEPT:
                mine[f"{s.type.lower()} in text"].add(texts[r.document_ref][s.start : s.end].casefold())
    return {
        patient: {name: sorted(values) for name, values in mine.items()} for patient, mine in found.items()
    }


def _counts(results: Sequence[DeidResult], kept: Sequence[DeidResult]) -> dict[str, Any]:
    spans = [s for r in results for s in r.spans]
    return {
        "documents": len(kept),
        "withheld": len(results) - len(kept),
        "spans": len(spans),
        "by_type": collections.Counter(s.type for s in spans),
        "by_source": collections.Counter(s.source for s in spans),
        "leaks_by_rule": collections.Counter(leak.rule for r in results for leak in r.leaks),
    }


def _facts(of_portions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    stays = {
        patient: {name: frozenset(values) for name, values in fields.items()}
        for facts in of_portions
        for patient, fields in facts["stays"].items()
    }
    return {
        **{name: sum(facts[name] for facts in of_portions) for name in ("documents", "withheld", "spans")},
        "patients": len(stays),
        **{
            name: summed(facts[name] for facts in of_portions)
            for name in ("by_type", "by_source", "leaks_by_rule")
        },
        "anonymity": anonymity(stays),
    }
