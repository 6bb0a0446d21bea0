"""The release stage of the pipeline: the newest evaluated model goes to the registry; who is champion, and from what."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor import __version__
from preceptor.consent import require_usable
from preceptor.errors import PreceptorError
from preceptor.models import ResolvedModel
from preceptor.models import resolve as resolve_model
from preceptor.release import VERSION
from preceptor.release.candidates import submit
from preceptor.release.gates import GateDecision, asking_gain, decide
from preceptor.release.policy import in_force, policy_digest
from preceptor.release.registry import (
    CHAMPION,
    Tracking,
    VersionInfo,
    bundle_of,
    download,
    get_alias,
    resolve,
)
from preceptor.release.standing import Validity
from preceptor.release.store import Store
from preceptor.settings import ROOT, Settings, Workspace
from preceptor.versions import DatasetVersion, file_sha256, load, newest


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a model: its version, and what the gate decided."""

    info: VersionInfo
    decision: GateDecision


@dataclass(frozen=True, slots=True)
class Champion:
    """The present champion: its version, a folder with its adapter or weights, and its base model."""

    info: VersionInfo
    path: Path
    base: ResolvedModel


def submit_newest(
    workspace: Workspace,
    settings: Settings,
    tracking: Tracking,
    store: Store,
    actor: str,
    gain: float | None = None,
) -> Submitted:
    """Register the newest model with its newest evaluation; candidate if the gate passes it, with `gain` as in `gate_for`.

    Raises `PreceptorError` if the newest evaluation is of another model.
    """
    model, evaluation = newest(workspace.models, "model"), newest(workspace.reports, "evaluation")
    if evaluation.manifest["inputs"]["model"] != model.name:
        raise PreceptorError("The newest model has no evaluation yet: run the evaluation, or the whole job.")
    report = json.loads((evaluation.path / "report.json").read_text(encoding="utf-8"))
    decision = gate_for(settings, present_champion(tracking, settings), model.name, gain)(report)
    info = submit(
        tracking,
        store,
        settings.release.model_name,
        model.facts["run_id"],
        model.path,
        _bundle(workspace, settings, model, evaluation, report),
        decision,
        actor=f"run:{actor}",
    )
    return Submitted(info, decision)


def gate_for(
    settings: Settings, champion: VersionInfo | None, model: str, gain: float | None = None
) -> Callable[[Mapping[str, Any]], GateDecision]:
    """What decides on the report of `model`, a version's name: in the report, in the UI, and at registration. The champion
    is not held against itself. `gain`: what it must gain over the champion beside what the gates ask, as after a retraining."""
    contender = champion.ref if champion and champion.data.get("model") != model else None

    def decided(report: Mapping[str, Any]) -> GateDecision:
        found = decide(report, in_force(settings.gates), contender)
        return found if gain is None else asking_gain(found, report, contender, gain)

    return decided


def validity(settings: Settings) -> Validity:
    """What the settings of today ask of a decision before they promote on it."""
    return Validity(policy_digest(settings.gates), settings.release.evaluation_valid_days)


def require_usable_data(workspace: Workspace, settings: Settings, tracking: Tracking, ref: str) -> None:
    """Refuse to promote a version that learned from a patient who has opted out since.

    Raises `GateRefused` naming the data; and what `registry.resolve` raises for a version that is not there.
    """
    data = resolve(tracking, ref).data
    versions = [
        load(workspace.data, stage, data[stage])
        for stage in ("curated", "synthetic")
        if (workspace.data / stage / data.get(stage, "-")).is_dir()
    ]
    require_usable(workspace, settings.intake, versions, "Promotion")


def present_champion(tracking: Tracking, settings: Settings) -> VersionInfo | None:
    """The version that is champion now, or None."""
    name = settings.release.model_name
    if get_alias(tracking, name, CHAMPION) is None:
        return None
    return resolve(tracking, f"{name}@{CHAMPION}")


def champion_model(tracking: Tracking, workspace: Workspace, settings: Settings) -> Champion | None:
    """The present champion with its files, copied from the registry once and checked; None without one."""
    info = present_champion(tracking, settings)
    if info is None:
        return None
    folder = workspace.models / "champions" / f"{info.name}-{info.version}-{info.digest[:12]}"
    if not folder.exists():
        download(tracking, info.ref, folder)
    return Champion(info, folder, base_of(bundle_of(tracking, info), workspace, info.ref))


def base_of(bundle: dict[str, Any], workspace: Workspace, ref: str = "") -> ResolvedModel:
    """The base model that a version runs on; for a model at a provider the one whose tokenizer measures what it is asked.

    Raises `PreceptorError` if another copy of it is here, where `ref` names the version.
    """
    base = bundle["base_model"].get("measured_by", bundle["base_model"])
    found = resolve_model(base["name"], workspace)
    if ref and found.digest != base["digest"]:
        raise PreceptorError(
            f"{ref} was made from another copy of {base['name']} than is here: restore the base model of digest "
            f"{base['digest'][:12]}."
        )
    return found


@dataclass(frozen=True, slots=True)
class ChampionData:
    """What the champion learnt from: its version, when it was promoted, and its de-identified versions."""

    ref: str
    promoted_at: str
    deid_versions: tuple[str, ...]


def champion_data(tracking: Tracking, workspace: Workspace, settings: Settings) -> ChampionData | None:
    """What the present champion learnt from, for monitoring; None without a champion."""
    info = present_champion(tracking, settings)
    if info is None:
        return None
    bundle = bundle_of(tracking, info)
    promoted = promoted_at(workspace, info.ref) or info.created
    return ChampionData(info.ref, promoted, tuple(bundle["deid_versions"]))


def promoted_at(workspace: Workspace, ref: str) -> str | None:
    """When a version was last made champion, by the record; None if never."""
    from preceptor.release.store import open_store

    store = open_store(workspace)
    try:
        events = store.events(subject=ref, kinds=("promoted", "rolled_back"))
        return events[-1].at if events else None
    finally:
        store.close()


def _bundle(
    workspace: Workspace,
    settings: Settings,
    model: DatasetVersion,
    evaluation: DatasetVersion,
    report: dict[str, Any],
) -> dict[str, Any]:
    inputs = model.manifest["inputs"]
    curated = json.loads((workspace.data / "curated" / inputs["curated"] / "manifest.json").read_text())
    return {
        "data": {"curated": inputs["curated"], "synthetic": inputs["synthetic"], "model": model.name},
        "deid_versions": sorted(curated["inputs"].values()),
        "recipe": model.manifest["config"],
        "code": {
            "version": __version__,
            "curation": curated["code"],
            "training": model.manifest["code"],
            "evaluation": evaluation.manifest["code"],
            "release": VERSION,
        },
        "lock": f"sha256:{file_sha256(ROOT / 'uv.lock')}",
        "base_model": _base_facts(model),
        "evaluation": {
            "version": evaluation.name,
            "n_cases": report["n_cases"],
            "headline": report["headline"],
            "comparisons": report["comparisons"],
        },
        "seeds": {
            "training": model.manifest["config"]["recipe"]["seed"],
            "evaluation": settings.evaluation.seed,
        },
    }


def _base_facts(model: DatasetVersion) -> dict[str, Any]:
    facts = model.facts
    base = {"name": facts["base_model"], "digest": facts["base_digest"]}
    if "measured_by" not in facts:
        return base
    return {**base, "measured_by": {"name": facts["measured_by"], "digest": facts["measured_by_digest"]}}
