"""The data card, short enough to hand out: what the curated version is, from the facts that curation recorded of it.

Sections after Gebru et al. 2021 (Datasheets for Datasets, doi:10.1145/3458723), as in curation's own card, which has more (all
groups, small ones too) and stays in the home.
"""

from __future__ import annotations

from preceptor.papers import measured
from preceptor.papers.blocks import Block, Document, Section, Table, Text, entry
from preceptor.papers.facts import Facts
from preceptor.papers.wording import plain

SOURCE = "Sections: Gebru et al. 2021, Datasheets for Datasets (doi:10.1145/3458723)."


def data_card(facts: Facts) -> Document:
    """Lay out the card of the data that a version learnt from and was tested on."""
    curated = facts.data["curated"]
    about = "What the model learnt from and was tested on: instruction data made from de-identified clinical documents."
    if not curated:
        absent = f"Curated version {facts.versions.get('curated', 'unknown')} is not in this home: nothing is known of it here."
        return Document("data-card", "Data card", about, SOURCE, (Section("Composition", (Text(absent),)),))
    sections = (
        Section("Composition", _composition(facts)),
        Section("Who and what is in it", _groups(facts)),
        Section("Where it is from", _sources(facts)),
        Section("Preprocessing and cleaning", _cleaning(facts)),
        Section("Synthetic examples", _synthetic(facts)),
        Section("Uses, distribution, maintenance", _uses(facts)),
    )
    return Document("data-card", "Data card", about, SOURCE, sections, (measured.training_data(facts) or "",))


def _composition(facts: Facts) -> tuple[Block, ...]:
    curated = facts.data["curated"]
    splits = ("train", "validation", "test")
    rows = tuple(
        (measured.title_of(facts, task), *(str(counts.get(split, 0)) for split in splits))
        for task, counts in curated["by_task"].items()
    )
    return (
        entry("Version", [curated["name"]]),
        Table(("Use case", "Train", "Validation", "Test"), rows, "Examples by use case; split by patient."),
        entry(
            "Size",
            [
                f"{curated['examples']} examples, {curated['tokens']} tokens, {curated['documents']} documents."
            ],
        ),
        entry(
            "Looked at by a clinician for this version",
            [f"{curated['reviewed']} of {curated['examples']} examples."],
        ),
        entry("Language", [str(curated["rules"].get("language") or "")], needs="Which languages are in it."),
    )


def _groups(facts: Facts) -> tuple[Block, ...]:
    tables = [measured.balance(facts, field) for field in ("age band", "sex", "language", "specialty")]
    missing = facts.data["curated"]["lacking"]
    said = (
        f"Missing or thin against the declared population: {', '.join(missing) or 'none'}."
        if facts.data["curated"]["population"]
        else None
    )
    return (
        *(table for table in tables if table),
        entry(
            "Against the population that it is meant for",
            [said],
            needs="A declared population (curation.population).",
        ),
    )


def _sources(facts: Facts) -> tuple[Block, ...]:
    rows = tuple(
        (
            row["version"],
            *(
                plain(row.get(name))
                for name in ("documents", "withheld", "patients", "spans", "policy", "basis")
            ),
        )
        for row in facts.data["deid"]
    )
    header = (
        "De-identified version",
        "Documents",
        "Withheld",
        "Patients",
        "Identifiers replaced",
        "Policy",
        "Rule",
    )
    bases = facts.data["curated"]["bases"]
    return (
        *((Table(header, rows),) if rows else ()),
        entry(
            "Licence or consent",
            ["; ".join(bases)],
            needs="The basis under which the data may be learnt from (curation.basis).",
        ),
        entry(
            "Known remainder",
            [
                "De-identification misses some identifiers; each source version has a risk report (“preceptor deid report”)."
            ],
        ),
    )


def _cleaning(facts: Facts) -> tuple[Block, ...]:
    curated = facts.data["curated"]
    return (
        entry("Drafts removed, by rule", [plain(curated["removed"]) if curated["removed"] else "none"]),
        measured.values(curated["rules"], ("Rule of curation", "Value")),
    )


def _synthetic(facts: Facts) -> tuple[Block, ...]:
    found = facts.data["synthetic"]
    said = (
        [
            f"{found['accepted']} of {found['candidates']} candidates accepted ({found['generator']}); share of training examples {found['share']:.1%}."
        ]
        if found
        else []
    )
    return (entry("Made by a generator", said, needs="No synthetic version is known."),)


def _uses(facts: Facts) -> tuple[Block, ...]:
    curated = facts.data["curated"]
    return (
        entry("Used for", [f"Training and test of {facts.ref}."]),
        entry("Distribution", ["Not for publication: it holds de-identified text of patients. These papers hold none."]),
        entry("Erasures since it was made", [str(curated["erasures"])]),
        entry("Fuller card", [f"reports/data-cards/{curated['name']}/ in this home: README.md, and croissant.json for tools."]),
    )  # fmt: skip
