"""Stage 3: curated instruction data."""

import dagster as dg

from assets._shared import OWNERS, kept, picture, progress, quiet, table
from assets.deidentified import deidentified_documents
from resources import WorkspaceResource


@dg.asset(
    deps=[deidentified_documents],
    group_name="3_curate",
    kinds={"parquet"},
    owners=OWNERS["ml"],
    code_version="1",
    tags={"zone": "amber"},
)
@quiet
@kept("data")
def curated_examples(context: dg.AssetExecutionContext, workspace: WorkspaceResource) -> dg.MaterializeResult:
    """Questions and answers for every use case, from all batches: filtered, without near-duplicates, split by
    patient, and clean of the test split."""
    from preceptor.consent import unusable_patients
    from preceptor.curation.balance import lacking
    from preceptor.curation.cards import card_facts, write_card
    from preceptor.curation.curate import curate
    from preceptor.curation.page import write_page
    from preceptor.curation.reviews import decisions
    from preceptor.deid.stage import usable_versions
    from preceptor.documents.stage import bases
    from preceptor.models.tokens import token_counter

    data, settings = workspace.workspace().data, workspace.settings()
    with workspace.vault() as vault:
        sources = usable_versions(data, vault.batches())
        unusable = unusable_patients(vault, settings.intake)
        known_bases = bases(vault, settings)
    with workspace.record() as record:
        reviews = decisions(record, data)
    counter = token_counter(workspace.base_model())
    version = curate(data, sources, settings.curation, unusable, reviews, counter, known_bases)
    page = write_page(version, workspace.workspace().reports)
    cards = write_card(card_facts(data, version), version, workspace.workspace().reports)
    facts = version.facts
    thin = {
        f"{field}: {group}": {"share": row["share"], "population": row["target"], "": row["warning"]}
        for field, group, row in lacking(facts["balance"])
    }
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.name),
        metadata={
            "version": version.name,
            "examples": facts["examples"],
            "from documents": facts["documents"],
            "by use case": table(facts["by_task"], ("use case", "train", "validation", "test")),
            "removed by rule": table(facts["removed"], ("rule", "drafts")),
            "frozen test cases": table(facts["test_split"], ("use case", "frozen", "present", "rewritten")),
            "reviewed by clinicians": facts["reviewed"],
            "tokens": facts["tokens"],
            "patients": table(facts["patients"], ("split", "patients")),
            "page with samples, lengths and groups": dg.MetadataValue.path(str(page)),
            "data card": dg.MetadataValue.path(str(cards / "README.md")),
            "groups that are thin": table(thin, ("group", "share", "population", "")),
            "mean words of a question": facts["mean_prompt_words"],
            "mean words of an answer": facts["mean_answer_words"],
        },
    )


@dg.asset(
    deps=[curated_examples],
    group_name="3_curate",
    kinds={"python", "pytorch"},
    owners=OWNERS["ml"],
    code_version="1",
    pool="accelerator",
    tags={"zone": "green"},
)
@quiet
@kept("data")
def data_sufficiency(context: dg.AssetExecutionContext, workspace: WorkspaceResource) -> dg.MaterializeResult:
    """Whether the curated examples are enough, use case by use case, and what more of them would buy. The learning curve
    is measured where `sufficiency.curve` is on: four short trainings."""
    from preceptor.release.registry import experiment
    from preceptor.sufficiency.stage import PLOT, assess

    tracking = workspace.tracking()
    version = assess(
        workspace.workspace(),
        workspace.settings(),
        tracking.uri,
        lambda: experiment(tracking, "learning curves"),
        on_progress=progress(context, "trainings"),
    )
    shown = ("train", "effective", "test_note_types_seen", "test_codes_seen", "verdict", "advice")
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.name),
        metadata={
            "version": version.name,
            "verdict": table(
                {
                    task: {name: facts.get(name, "") for name in shown}
                    for task, facts in version.facts["tasks"].items()
                },
                (
                    "use case",
                    "examples",
                    "different",
                    "note types of test seen",
                    "codes of test seen",
                    "verdict",
                    "",
                ),
            ),
            "learning curve": picture((version.path / PLOT).read_bytes(), "loss over training examples"),
        },
    )
