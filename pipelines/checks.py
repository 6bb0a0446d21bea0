"""The quality gates at the boundaries, as blocking asset checks. Results are counts, never values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from assets._retraining import gain_asked
from assets._shared import kept, quiet, table
from assets.curated import curated_examples, data_sufficiency
from assets.deidentified import deidentified_documents
from assets.evaluation import evaluation_report
from assets.monitoring import traffic_report
from assets.raw import raw_documents
from assets.release import champion
from assets.synthetic import synthetic_examples
from preceptor.quality.data_docs import docs_of, index
from preceptor.quality.gate import Verdict
from resources import WorkspaceResource


def _result(verdict: Verdict, docs: Path) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(verdict.failures) or "every expectation held",
        metadata={
            "version": verdict.version,
            "rows": verdict.rows,
            "data docs": dg.MetadataValue.path(str(index(docs))),
            "expectations": table(
                {
                    r["rule"]: {"held": r["passed"], "rows against it": r["unexpected"]}
                    for r in verdict.results
                },
                ("rule", "held", "rows against it"),
            ),
        },
    )


def _judged(
    workspace: WorkspaceResource, stage: str, suite: str, frame_of: Callable[[Path], Any]
) -> dg.AssetCheckResult:
    """The verdict of a suite on the newest version of a stage."""
    from preceptor.quality import check
    from preceptor.versions import newest

    data, docs = workspace.workspace().data, docs_of(workspace.workspace().reports)
    version = newest(data, stage)
    return _result(check(data, suite, version.name, frame_of(version.path), docs), docs)


@dg.asset_check(
    asset=raw_documents, blocking=True, description="The batch has documents, and few were unreadable."
)
@quiet
def raw_documents_gate(
    context: dg.AssetCheckExecutionContext, workspace: WorkspaceResource
) -> dg.AssetCheckResult:
    from preceptor.quality import check
    from preceptor.quality.frames import raw_batch

    settings = workspace.settings()
    batch = _batch(context)
    with workspace.vault() as vault:
        frame = raw_batch(vault, batch, settings.quality.max_quarantined_share)
        version = f"{batch}-{vault.manifest(batch)[:12]}-{int(frame.quarantined.iloc[0])}"
    docs = docs_of(workspace.workspace().reports)
    return _result(check(workspace.workspace().data, "raw_documents", version, frame, docs), docs)


@dg.asset_check(
    asset=deidentified_documents,
    blocking=True,
    description="References are opaque, every document has text, and the leak check found nothing in what goes on.",
)
@quiet
@kept()
def deidentified_documents_gate(
    context: dg.AssetCheckExecutionContext, workspace: WorkspaceResource
) -> dg.AssetCheckResult:
    from preceptor.deid.stage import stage_of
    from preceptor.quality.frames import deidentified

    return _judged(workspace, stage_of(_batch(context)), "deidentified_documents", deidentified)


@dg.asset_check(
    asset=curated_examples,
    blocking=True,
    description="Examples are whole and unique, name their documents, and no patient or text is in two splits.",
)
@quiet
@kept()
def curated_examples_gate(workspace: WorkspaceResource) -> dg.AssetCheckResult:
    from preceptor.quality.frames import curated

    chosen = workspace.settings().curation
    return _judged(
        workspace,
        "curated",
        "curated_examples",
        lambda folder: curated(folder, chosen),
    )


@dg.asset_check(
    asset=curated_examples,
    description="Every group of the declared population has at least half of its share of the training examples.",
)
@quiet
def population_coverage(workspace: WorkspaceResource) -> dg.AssetCheckResult:
    from preceptor.curation.balance import lacking
    from preceptor.versions import newest

    found = lacking(newest(workspace.workspace().data, "curated").facts["balance"])
    declared = workspace.settings().curation.population
    said = "; ".join(f"{field} {group}: {row['warning']}" for field, group, row in found)
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=said
        or ("every group is there" if declared else "no population is declared (curation.population)"),
    )


@dg.asset_check(
    asset=data_sufficiency,
    blocking=True,
    description="There is a use case with enough different examples to train on; those without are named.",
)
@quiet
def data_sufficiency_gate(workspace: WorkspaceResource) -> dg.AssetCheckResult:
    from preceptor.sufficiency.verdict import too_few
    from preceptor.versions import newest

    facts = newest(workspace.workspace().data, "sufficiency").facts
    lacking = too_few(facts)
    none_left = len(lacking) == len(facts["tasks"])
    said = "; ".join(f"{task}: {facts['tasks'][task]['advice']}" for task in lacking)
    return dg.AssetCheckResult(
        passed=not lacking,
        # Nothing to train on stops the run; a use case that is thin beside others is told.
        severity=dg.AssetCheckSeverity.ERROR if none_left else dg.AssetCheckSeverity.WARN,
        description=said or "every use case has enough",
    )


@dg.asset_check(
    asset=synthetic_examples,
    blocking=True,
    description="Synthetic rows are marked, name generator and seeds, name nobody, and stay in training and under the cap.",
)
@quiet
@kept()
def synthetic_examples_gate(workspace: WorkspaceResource) -> dg.AssetCheckResult:
    from preceptor.quality import check
    from preceptor.quality.frames import synthetic
    from preceptor.versions import load, newest

    data = workspace.workspace().data
    version = newest(data, "synthetic")
    curated = load(data, "curated", version.manifest["inputs"]["curated"])
    settings = workspace.settings()
    frame = synthetic(
        version.path,
        curated.path,
        settings.synthesis.max_share,
        settings.curation,
    )
    docs = docs_of(workspace.workspace().reports)
    return _result(check(data, "synthetic_examples", version.name, frame, docs), docs)


@dg.asset_check(
    asset=evaluation_report,
    description="May the model wait for approval? If not, it is registered all the same, but never a candidate.",
)
@quiet
def evaluation_gate(
    context: dg.AssetCheckExecutionContext, workspace: WorkspaceResource
) -> dg.AssetCheckResult:
    import json

    from preceptor.release.stage import gate_for, present_champion
    from preceptor.versions import newest

    settings = workspace.settings()
    version = newest(workspace.workspace().reports, "evaluation")
    report = json.loads((version.path / "report.json").read_text(encoding="utf-8"))
    champion = present_champion(workspace.tracking(), settings)
    gain = gain_asked(context.run, settings)
    decision = gate_for(settings, champion, version.manifest["inputs"]["model"], gain)(report)
    return dg.AssetCheckResult(
        passed=decision.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(r.text for r in decision.reasons if not r.passed) or "every rule held",
        metadata={
            "rules": table(
                {r.rule: {"held": r.passed, "what": r.text} for r in decision.reasons},
                ("rule", "held", "what"),
            )
        },
    )


@dg.asset_check(
    asset=champion,
    description="Does every server that release.verify_serving names report the champion?",
)
@quiet
def champion_is_served(workspace: WorkspaceResource) -> dg.AssetCheckResult:
    from preceptor.release.stage import present_champion
    from preceptor.serving.rollout import UNVERIFIED, VERIFIED

    settings = workspace.settings()
    if not settings.release.verify_serving:
        return dg.AssetCheckResult(passed=True, description="no server is named (release.verify_serving)")
    now = present_champion(workspace.tracking(), settings)
    with workspace.record() as record:
        found = record.events(subject=now.ref, kinds=(VERIFIED, UNVERIFIED)) if now else []
    missing = found[-1].payload.get("missing", {}) if found else {"champion": "was never looked for"}
    return dg.AssetCheckResult(
        passed=not missing,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{server} {said}" for server, said in missing.items())
        or "every server reports it",
    )


def _alarms(workspace: WorkspaceResource, severity: str) -> dg.AssetCheckResult:
    """Whether nothing of a severity is raised in production."""
    from preceptor.monitoring.alarms import open_alarms

    raised = [a for a in open_alarms(workspace.workspace().monitoring) if a.severity == severity]
    return dg.AssetCheckResult(
        passed=not raised,
        severity=dg.AssetCheckSeverity.ERROR if severity == "error" else dg.AssetCheckSeverity.WARN,
        description="; ".join(alarm.text for alarm in raised) or "no alarm",
        metadata={
            "alarms": table(
                {
                    f"{a.subject}: {a.measure}": {
                        "score": a.score,
                        "limit": a.limit,
                        "n": a.n,
                        "last day": a.last,
                    }
                    for a in raised
                },
                ("alarm", "score", "limit", "n", "last day"),
            )
        },
    )


@dg.asset_check(
    asset=traffic_report, description="No alarm of production that calls for action now is raised."
)
@quiet
def production_errors(workspace: WorkspaceResource) -> dg.AssetCheckResult:
    return _alarms(workspace, "error")


@dg.asset_check(
    asset=traffic_report, description="No alarm of production that somebody should look at is raised."
)
@quiet
def production_warnings(workspace: WorkspaceResource) -> dg.AssetCheckResult:
    return _alarms(workspace, "warn")


def _batch(context: dg.AssetCheckExecutionContext) -> str:
    return context.run.tags["dagster/partition"]


CHECKS = [
    raw_documents_gate,
    deidentified_documents_gate,
    curated_examples_gate,
    population_coverage,
    data_sufficiency_gate,
    synthetic_examples_gate,
    evaluation_gate,
    champion_is_served,
    production_errors,
    production_warnings,
]
