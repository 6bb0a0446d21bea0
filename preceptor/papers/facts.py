"""What is known of a registered version, from the registry, its bundle, the evaluation's report, the data sets' manifests,
the release record and production. Green: counts, measures, names of people who signed; no text of a document or case."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from preceptor.curation.balance import lacking
from preceptor.papers import VERSION
from preceptor.papers.evaluation import handed_out
from preceptor.papers.production import production
from preceptor.papers.record import champion_before, decisions
from preceptor.papers.wording import SMALLEST, patients
from preceptor.release import blinded
from preceptor.release.policy import in_force, policy_digest
from preceptor.release.registry import Tracking, VersionInfo, bundle_of, resolve
from preceptor.release.standing import standing, status
from preceptor.release.store import Store
from preceptor.settings import PapersSettings, Settings, Workspace
from preceptor.versions import digest

_MAKING = ("data", "deid_versions", "recipe", "code", "lock", "base_model", "seeds", "gate")
_CURATION = (
    "language", "min_prompt_words", "max_prompt_words", "min_answer_words", "max_answer_words", "duplicate_jaccard",
    "decontamination_ngram", "max_copied", "max_boilerplate", "min_number_support", "min_term_support", "split_by",
    "test_share", "validation_share",
)  # fmt: skip
_FIELDS = ("age band", "sex", "language", "specialty")  # of the balance; the others hold words of documents


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the documents of one version are made from. What was not recorded is None or empty.

    `data` has `curated`, `synthetic`, `model` (facts of these versions) and `deid` (one row a source); `before` is the champion
    that the version is compared with; `judged` are the closed blinded comparisons of its evaluation; `plan` are the rules and limits
    in force today; `as_of` is the last moment that any of the facts is from.
    """

    ref: str
    name: str
    digest: str
    run_id: str
    registered_at: str
    status: str
    aliases: tuple[str, ...]
    versions: dict[str, str]
    bundle: dict[str, Any]
    evaluation: dict[str, Any]
    data: dict[str, Any]
    base: dict[str, Any]
    decisions: tuple[dict[str, Any], ...]
    before: dict[str, Any] | None
    production: dict[str, Any]
    judged: tuple[dict[str, Any], ...]
    plan: dict[str, Any]
    statements: PapersSettings
    as_of: str

    @property
    def digest_of_facts(self) -> str:
        """SHA-256 of all of it, and of the code that lays it out: the same for the same documents."""
        held = asdict(self) | {"statements": self.statements.model_dump(mode="json"), "papers": VERSION}
        return digest(held)

    @property
    def gate(self) -> dict[str, Any] | None:
        """What the evaluation gate decided when the version was registered."""
        return self.bundle.get("gate")

    @property
    def tuned(self) -> dict[str, Any] | None:
        """What was measured of the fine-tuned model."""
        return self.evaluation.get("arms", {}).get("finetuned")


def gather(workspace: Workspace, settings: Settings, tracking: Tracking, store: Store, ref: str) -> Facts:
    """Gather what is known of `NAME/VERSION` or `NAME@ALIAS`.

    Raises `UsageError` if there is no such version, `RecordBroken` if the release record was changed from outside.
    """
    store.require_intact()
    info = resolve(tracking, ref)
    bundle = bundle_of(tracking, info)
    before = champion_before(tracking, store, info)
    stands = standing(store, info.ref)
    decided = decisions(store, stands)
    produced = production(workspace, info.ref)
    judged = blinded.of_evaluation(store, info.evaluation)
    moments = [info.created, *(each["at"] for each in (*decided, *judged))]
    moments += [produced["drift"]["measured_at"]] if produced["drift"] else []
    moments += [produced["traffic"]["last"]] if produced["traffic"] else []
    return Facts(
        ref=info.ref,
        name=info.name,
        digest=info.digest,
        run_id=info.run_id,
        registered_at=info.created,
        status=status(stands, info, settings.release.required_approvals),
        aliases=info.aliases,
        versions=dict(sorted(info.data.items())) | {"evaluation": info.evaluation},
        bundle=_making(bundle),
        evaluation=_evaluation(workspace, info, bundle),
        data=_data(workspace, info, bundle),
        base=_base(bundle),
        decisions=tuple(decided),
        before=before and before | {"bundle": _making(before["bundle"])},
        production=produced,
        judged=tuple(judged),
        plan=_plan(settings),
        statements=settings.papers,
        as_of=max(moments),
    )


def _making(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """What a version was made from, and what the gate decided; its figures are taken from the evaluation."""
    return {key: bundle[key] for key in _MAKING if key in bundle}


def _evaluation(workspace: Workspace, info: VersionInfo, bundle: Mapping[str, Any]) -> dict[str, Any]:
    """From report.json; where it is not in this home, what the bundle kept of it."""
    path = workspace.reports / "evaluation" / info.evaluation / "report.json"
    if path.is_file():
        return handed_out(json.loads(path.read_text(encoding="utf-8")))
    kept = bundle["evaluation"]
    arms = {
        name: {"label": name, "headline": found}
        for name, found in (kept.get("headline") or {}).items()
        if isinstance(found, Mapping)
    }
    report = {"n_cases": kept.get("n_cases"), "arms": arms, "comparisons": kept.get("comparisons")}
    return handed_out(report)


def _data(workspace: Workspace, info: VersionInfo, bundle: Mapping[str, Any]) -> dict[str, Any]:
    curated = _manifest(workspace.data, "curated", info.data.get("curated"))
    synthetic = _manifest(workspace.data, "synthetic", info.data.get("synthetic"))
    model = _manifest(workspace.models, "model", info.data.get("model"))
    return {
        "curated": _curated(curated),
        "synthetic": _picked(synthetic, ("generator", "candidates", "accepted", "share")),
        "model": _picked(
            model,
            ("objective", "method", "examples", "examples_too_long", "canaries", "validation_examples", "steps", "planned_steps",
             "ended", "seconds", "precision", "first_loss", "last_loss", "validation_loss"),
        ),
        "deid": _deid(workspace, curated, bundle),
    }  # fmt: skip


def _curated(manifest: Mapping[str, Any] | None) -> dict[str, Any]:
    if manifest is None:
        return {}
    config, facts = manifest["config"], manifest["facts"]
    rules = config.get("curation") or {}
    return {
        "name": manifest["name"],
        **_picked(manifest, ("examples", "by_task", "tokens", "documents", "removed", "reviewed")),
        "patients": {split: patients(count) for split, count in (facts.get("patients") or {}).items()},
        "balance": {
            field: _told(groups) for field, groups in (facts.get("balance") or {}).items() if field in _FIELDS
        },
        "lacking": [
            f"{field} {group}" for field, group, _ in lacking(facts.get("balance") or {}) if field in _FIELDS
        ],
        "note_types": len((facts.get("balance") or {}).get("note type") or ()),
        "sites": len((facts.get("balance") or {}).get("site") or ()),
        "titles": {case["task"]: case["title"] for case in config.get("use_cases") or ()},
        "rules": {name: rules[name] for name in _CURATION if name in rules},
        "population": sorted(rules.get("population") or {}),
        "bases": sorted(set(map(str, (config.get("bases") or {}).values()))),
        "erasures": manifest.get("erasures", 0),
    }


def _told(groups: Mapping[str, Any]) -> dict[str, Any]:
    """One field of the balance: groups of enough patients by name, the others by their number."""
    large = {
        name: {"patients": row["patients"], "share": row["share"]}
        for name, row in groups.items()
        if row["patients"] >= SMALLEST
    }
    small = [row for name, row in groups.items() if name not in large and row["patients"]]
    return {
        "groups": large,
        "smaller": len(small),
        "smaller_share": round(sum(row["share"] for row in small), 4),
    }


def _deid(
    workspace: Workspace, curated: Mapping[str, Any] | None, bundle: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """One row for each de-identified version that the data were made from."""
    inputs = (curated or {}).get("inputs") or {}
    rows = []
    for stage, name in sorted(inputs.items()):
        made = _manifest(workspace.data, stage, name)
        policy = ((made or {}).get("facts") or {}).get("policy") or {}
        counts = _picked(made, ("documents", "withheld", "spans"))
        people = patients(((made or {}).get("facts") or {}).get("patients"))
        rows.append(
            {
                "version": name,
                **counts,
                "patients": people,
                "policy": policy.get("policy"),
                "basis": policy.get("basis"),
            }
        )
    named = {row["version"] for row in rows}
    return rows + [{"version": name} for name in bundle.get("deid_versions", ()) if name not in named]


def _base(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """What the catalogue says of the base model, if it has it."""
    from preceptor.models import load_catalogue

    base = bundle["base_model"]
    entry = load_catalogue().get(base["name"])
    known = (
        entry.model_dump(mode="json", include={"source", "licence", "parameters", "context", "advisory"})
        if entry
        else {}
    )
    return {"name": base["name"], "digest": base["digest"], **{k: v for k, v in known.items() if v}}


def _plan(settings: Settings) -> dict[str, Any]:
    monitoring, release = settings.monitoring, settings.release
    return {
        "gates": in_force(settings.gates).model_dump(mode="json", exclude={"policy"}),
        "gate_policy": policy_digest(settings.gates),
        "required_approvals": release.required_approvals,
        "evaluation_valid_days": release.evaluation_valid_days,
        **monitoring.model_dump(mode="json"),
    }


def _manifest(root: Path, stage: str, name: str | None) -> dict[str, Any] | None:
    path = root / stage / (name or "-") / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _picked(manifest: Mapping[str, Any] | None, names: Sequence[str]) -> dict[str, Any]:
    facts = (manifest or {}).get("facts") or {}
    return {name: facts[name] for name in names if name in facts}
