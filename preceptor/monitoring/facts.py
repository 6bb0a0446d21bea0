"""What decides about a retraining, looked up where it stands: registry, record, data, vault, drift report, alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

from preceptor.consent import unusable_patients
from preceptor.curation.reviews import EXAMPLE_REVIEWED
from preceptor.errors import PreceptorError
from preceptor.models.sources import checkpoint_digest, local_folder
from preceptor.monitoring.alarms import open_alarms as of_production
from preceptor.monitoring.causes import Facts, History, Seen
from preceptor.monitoring.retraining_record import Entry
from preceptor.monitoring.stage import REPORT
from preceptor.release.erasure import ERASED
from preceptor.release.registry import Tracking, VersionInfo, bundle_of
from preceptor.release.stage import present_champion
from preceptor.release.store import Store, open_store
from preceptor.settings import Settings, Workspace
from preceptor.tables import EXAMPLES
from preceptor.vault import Vault, open_vault
from preceptor.versions import DatasetVersion, digest, latest, load, write_atomic

DIGEST = "base-model.json"  # the digest of the base model's files, which take seconds to read


class Alarm(Protocol):
    """An open alarm of the watch over production: which version and measure, the first day of the window that raised it, and
    what it says in green words."""

    @property
    def subject(self) -> str: ...
    @property
    def measure(self) -> str: ...
    @property
    def first(self) -> str: ...
    @property
    def text(self) -> str: ...


OpenAlarms = Callable[[Path], Sequence[Alarm]]  # of the folder of monitoring


@dataclass(frozen=True, slots=True)
class Sources:
    """Where facts stand; what is open is the caller's to close."""

    workspace: Workspace
    settings: Settings
    tracking: Tracking
    store: Store
    vault: Vault
    open_alarms: OpenAlarms


@contextmanager
def open_sources(
    workspace: Workspace, settings: Settings, tracking: Tracking, open_alarms: OpenAlarms = of_production
) -> Iterator[Sources]:
    """The sources of a workspace, open for as long as facts are looked up."""
    with closing(open_vault(workspace)) as vault, closing(open_store(workspace)) as store:
        yield Sources(workspace, settings, tracking, store, vault, open_alarms)


def champion_of(sources: Sources) -> VersionInfo | None:
    """The present champion."""
    return present_champion(sources.tracking, sources.settings)


def gather(
    sources: Sources,
    champion: VersionInfo | None,
    tried: Entry | None,
    answered: tuple[str, ...],
    due: str,
    history: History,
) -> Facts:
    """Return the facts about the champion; `tried`, `answered` (alarms), `due` and `history` are of the record of retrainings.

    Raises `PreceptorError` if the data that the champion was made from are gone: what is new cannot be told then.
    """
    if champion is None:
        return Facts(None, history=history)
    workspace, settings = sources.workspace, sources.settings
    data = _data_of(workspace, champion)
    drifted, drift = _drift(workspace.monitoring / REPORT, champion.ref, settings.monitoring.drift_psi)
    erasure, erased = _erased(sources, champion, data)
    base, champion_base = _base(sources, champion)
    crowned = sources.store.events(subject=champion.ref, kinds=("promoted", "rolled_back"))
    alarms = _alarms(sources, champion.ref, bool(crowned) and crowned[-1].kind == "rolled_back")
    seen = Seen(
        documents=_new_documents(workspace.data, sources.vault.batches(), data[0]),
        reviewed=_reviewed(sources.store, champion.ref),
        drifted=drifted,
        alarms=tuple(f"{alarm.subject} {alarm.measure} {alarm.first}" for alarm in alarms),
        erasure=erasure,
        base=base,
        due=due,
    )
    return Facts(
        champion=champion.ref,
        promoted_at=datetime.fromisoformat(crowned[-1].at if crowned else champion.created),
        seen=seen,
        tried=replace(tried.seen if tried else Seen(), alarms=answered),
        tried_at=tried.at if tried else None,
        drift=drift,
        alarms=tuple(alarm.text for alarm in alarms),
        erased=erased,
        champion_base=champion_base,
        history=history,
    )


def _data_of(workspace: Workspace, champion: VersionInfo) -> list[DatasetVersion]:
    """The curated examples that it learnt from, and the synthetic ones if there are any."""
    try:
        return [
            load(workspace.data, stage, champion.data[stage])
            for stage in ("curated", "synthetic")
            if stage == "curated" or stage in champion.data
        ]
    except (FileNotFoundError, KeyError):
        raise PreceptorError(
            f"The data that {champion.ref} was made from are not in {workspace.data} (rule champion-data): what has come in "
            "since cannot be told. Restore them, or start the retraining by hand."
        ) from None


def _new_documents(data: Path, batches: Sequence[str], curated: DatasetVersion) -> int:
    """De-identified documents of the batches that the champion's examples were not made from."""
    stages = [f"deid-{batch}" for batch in batches]
    found = [latest(data, stage) for stage in stages if stage not in curated.manifest["inputs"]]
    return sum(version.facts["documents"] for version in found if version is not None)


def _reviewed(store: Store, champion: str) -> int:
    """Cases that somebody accepted or corrected since the champion was registered; the last decision on each counts.

    What was decided while it was trained is counted neither here nor there: a start comes too late rather than too early.
    """
    registered = store.events(subject=champion, kinds=("registered",))
    since = registered[-1].id if registered else 0
    last: dict[str, Any] = {}
    for event in store.events(kinds=(EXAMPLE_REVIEWED,), since=since):
        last[event.payload["case"]] = event.payload["verdict"]
    return sum(verdict in ("accept", "correct") for verdict in last.values())


def _alarms(sources: Sources, champion: str, rolled_back: bool) -> list[Alarm]:
    """Open alarms that a retraining may answer to: about the champion, and after a rollback about what was rolled back from."""
    wanted = sources.settings.monitoring.retraining.quality_alarms
    return [
        alarm
        for alarm in sources.open_alarms(sources.workspace.monitoring)
        if (alarm.subject == champion or rolled_back)
        and any(fnmatchcase(alarm.measure, pattern) for pattern in wanted)
    ]


def _drift(path: Path, champion: str, limit: float) -> tuple[bool, str]:
    report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if report is None or report["reference"] != champion or not report["drifted"]:
        return False, ""
    worst = max(report["psi"], key=report["psi"].get)
    return True, f"{worst} has a stability index of {report['psi'][worst]} (limit {limit})"


def _erased(sources: Sources, champion: VersionInfo, data: Sequence[DatasetVersion]) -> tuple[str, str]:
    """Which erasures and withdrawals the champion's data were touched by, as a text to compare and as words.

    An erasure bars the champion, then takes the rows out of its data: both count, so that one that was killed in between
    and finished later is answered once more.
    """
    bars = [
        event.id
        for event in sources.store.events(subject=champion.ref, kinds=("barred",))
        if event.payload["reason"] == ERASED
    ]
    erasures = sum(version.manifest.get("erasures", 0) for version in data) if bars else 0
    withdrawn = _withdrawn(sources, data)
    if not bars and not withdrawn:
        return "", ""
    said = []
    if bars:
        said.append("a patient whose documents it was made from has been erased")
    if withdrawn:
        said.append(f"{len(withdrawn)} patients whose documents it was made from have withdrawn since")
    mark = digest([bars, erasures, sorted(withdrawn)])[:12]
    return mark, f"{champion.ref}: {'; '.join(said)}"


def _withdrawn(sources: Sources, data: Sequence[DatasetVersion]) -> set[str]:
    """References of patients in these examples who have opted out since, or whose consent is asked for and not there."""
    import pyarrow.parquet as pq

    intake = sources.settings.intake
    if intake.opt_out is None and intake.consent is None:
        return set()
    unusable = unusable_patients(sources.vault, intake)
    tables = (pq.read_table(version.path / EXAMPLES, columns=["patient_ref"]) for version in data)
    return {ref for table in tables for ref in table["patient_ref"].unique().to_pylist()} & unusable


def _base(sources: Sources, champion: VersionInfo) -> tuple[str, str]:
    """The base model that is set if it is another than the champion's, and the champion's.

    Of a model at a provider nothing is said: which base it has is the provider's to change.
    """
    theirs = bundle_of(sources.tracking, champion)["base_model"]
    if "measured_by" in theirs or sources.settings.training.provider:
        return "", theirs["name"]
    ours = sources.settings.base_model
    folder = local_folder(ours, sources.workspace)
    found = _digest_of(folder, sources.workspace.monitoring / DIGEST) if folder else None
    if found == theirs["digest"] or (found is None and ours == theirs["name"]):
        return "", theirs["name"]
    if ours != theirs["name"]:
        return ours, theirs["name"]
    assert found is not None
    return f"{ours} of digest {found[:12]}", f"its copy of digest {theirs['digest'][:12]}"


def _digest_of(folder: Path, kept: Path) -> str:
    """The digest of a checkpoint, read anew only where a file's size or time is another."""
    files = sorted((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in folder.iterdir() if p.is_file())
    mark = digest([str(folder), files])
    known = json.loads(kept.read_text()) if kept.exists() else {}
    if known.get("files") != mark:
        known = {"files": mark, "digest": checkpoint_digest(folder)}
        write_atomic(kept, json.dumps(known))
    return known["digest"]
