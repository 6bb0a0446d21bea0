"""Stage 2: de-identified documents."""

import dagster as dg

from assets._shared import OWNERS, batches, kept, progress, quiet, table
from assets.raw import raw_documents
from resources import WorkspaceResource

_MEASURES = ("entity recall", "direct recall", "precision", "recall", "token F1", "notes with a leak")


@dg.asset(
    group_name="2_deidentify",
    kinds={"pytorch", "onnx"},
    owners=OWNERS["privacy"],
    code_version="1",
    tags={"zone": "red"},
)
@quiet
def phi_tagger(context: dg.AssetExecutionContext, workspace: WorkspaceResource) -> dg.MaterializeResult:
    """The network that finds names, places and the like, trained again from the annotated notes that come with Preceptor
    and those of the setting `deid.annotations`. It is used where `deid.tagger` is `trained`; else the one that comes
    with Preceptor is. About ten minutes on two cores."""
    from preceptor.deid.tagger.notes import annotated_notes
    from preceptor.deid.tagger.stage import make_tagger
    from preceptor.deid.tagger.training import Recipe
    from preceptor.settings import resolve_path

    notes = annotated_notes([resolve_path(name) for name in workspace.settings().deid.annotations])
    version = make_tagger(workspace.workspace().data, notes, Recipe(), progress(context, "passes"))
    facts = version.facts
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.name),
        metadata={
            "version": version.name,
            "notes": facts["trained_on"]["notes"],
            "patients": facts["trained_on"]["patients"],
            "spans by type": table(facts["trained_on"]["by_type"], ("type", "spans")),
            "alone on held-out patients, by threshold": table(
                facts["tagger_alone"]["at_threshold"], ("threshold", *_MEASURES)
            ),
            "alone on notes written worse": table(facts["tagger_alone"]["disturbed"], ("how", *_MEASURES)),
            "calibration error": facts["calibration"]["error after"],
        },
    )


@dg.asset(
    partitions_def=batches,
    deps=[raw_documents],
    group_name="2_deidentify",
    kinds={"presidio", "parquet"},
    owners=OWNERS["privacy"],
    code_version="1",
    tags={"zone": "amber"},
)
@quiet
@kept("data")
def deidentified_documents(
    context: dg.AssetExecutionContext, workspace: WorkspaceResource
) -> dg.MaterializeResult:
    """Notes without identifiers: the same surrogate throughout a patient's record, dates shifted, ages over 89 and
    ZIP codes generalised. A document in which the independent leak check finds something is withheld until somebody has
    looked at it (`preceptor deid review`)."""
    from preceptor.consent import unusable_patients
    from preceptor.deid.stage import deidentify_batch
    from preceptor.keys import deid_secret
    from preceptor.privacy.report import write_report
    from preceptor.privacy.reviews import decisions, reviewed

    with workspace.record() as record, workspace.vault() as vault:
        version = deidentify_batch(
            vault,
            context.partition_key,
            workspace.workspace().data,
            workspace.settings().deid,
            deid_secret(workspace.workspace()),
            progress(context, "documents"),
            unusable_patients(vault, workspace.settings().intake),
            reviewed(decisions(record, context.partition_key)),
        )
        page, report = write_report(version, record, context.partition_key, workspace.workspace().reports)
    facts = version.facts
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.name),
        metadata={
            "version": version.name,
            "documents": facts["documents"],
            "withheld": facts["withheld"],
            "identifiers replaced": facts["spans"],
            "by type": table(facts["by_type"], ("type", "spans")),
            "by layer": table(facts["by_source"], ("layer", "spans")),
            "leaks by rule": table(facts["leaks_by_rule"], ("rule", "leaks")),
            "patients alone in what stays": report["anonymity"]["together"]["alone"],
            "reviewed documents of the sample": report["sample"]["documents"],
            "risk report": dg.MetadataValue.path(str(page)),
        },
    )
