"""The model card under the headings of the CHAI Applied Model Card.

Headings: Coalition for Health AI, Applied Model Card, schema v0.2 (github.com/coalition-for-health-ai/mc-schema,
v0.2/schema.xsd, read 29 November 2026; draft of 22 November 2024, CC BY-ND 4.0). Nothing but the headings is theirs.
"""

from __future__ import annotations

from dataclasses import replace

from preceptor.papers import measured
from preceptor.papers.blocks import Block, Document, Entry, Section, Table, counted, entries, entry
from preceptor.papers.facts import Facts
from preceptor.papers.wording import plain

SOURCE = (
    "Headings: Coalition for Health AI (CHAI), Applied Model Card, schema v0.2, draft of 22 November 2024."
)


def model_card(facts: Facts) -> Document:
    """Lay out the card of a version."""
    sections = (
        Section("Basic information", _basic(facts)),
        Section("Release information", _release(facts)),
        Section("Model summary", _summary(facts)),
        Section("Uses and directions", _uses(facts)),
        Section("Warnings", _warnings(facts)),
        Section("Trust ingredients: AI system facts", _system(facts)),
        Section("Trust ingredients: transparency information", _transparency(facts)),
        *_metrics(facts),
        Section("Resources", _resources(facts)),
    )
    card = Document(
        "model-card",
        "Model card",
        "What this model is, what it is for, and what was measured of it.",
        SOURCE,
        sections,
    )
    found = entries(card)
    return replace(card, summary=(counted("headings", found),))


def _basic(facts: Facts) -> tuple[Block, ...]:
    people = facts.statements
    return (
        entry("Model name", [f"{facts.name}, version {facts.ref.rpartition('/')[2]}"]),
        entry("Model developer", stated=people.developer, setting="developer", needs="The organisation that answers for the model."),
        entry("Developer contact", stated=people.contact, setting="contact", needs="An address for questions and reports."),
    )  # fmt: skip


def _release(facts: Facts) -> tuple[Block, ...]:
    people = facts.statements
    return (
        entry("Release stage", [f"In the registry: {facts.status}"], stated=people.release_stage, setting="release_stage"),
        entry("Release date", [f"Registered {facts.registered_at[:10]}", _promoted(facts)]),
        entry("Release version", [facts.ref, f"SHA-256 of its files {facts.digest}"]),
        entry("Global availability", stated=people.availability, setting="availability",
              needs="Where it may be used: sites, countries."),
        entry("EHR compatibility", stated=people.ehr_compatibility, setting="ehr_compatibility",
              needs="Which record systems it was tried with."),
        entry("Regulatory approval", stated=people.regulatory, setting="regulatory",
              needs="Whether it is a device, and what was cleared; “none” is an answer."),
    )  # fmt: skip


def _promoted(facts: Facts) -> str | None:
    moments = [each["at"][:10] for each in facts.decisions if each["what"] in ("promoted", "rolled back")]
    return f"Came into use {', '.join(moments)}" if moments else None


def _summary(facts: Facts) -> tuple[Block, ...]:
    cases = measured.use_cases(facts)
    trained = f"{facts.base['name']} fine-tuned for: {cases}." if cases else None
    people = facts.statements
    return (
        entry("Summary", [trained], stated=people.summary, setting="summary"),
        entry(
            "Keywords", stated=", ".join(people.keywords), setting="keywords", needs="Words to find it by."
        ),
    )


def _uses(facts: Facts) -> tuple[Block, ...]:
    people, cases = facts.statements, measured.use_cases(facts)
    return (
        entry("Intended use and workflow", [f"Trained and tested for: {cases}." if cases else None],
              stated=people.intended_use, setting="intended_use", enough=False,
              needs="What it is used for, and where in the work."),
        entry("Primary intended users", stated=people.intended_users, setting="intended_users", needs="Who works with it."),
        entry("How to use", stated=people.how_to_use, setting="how_to_use",
              needs="How answers are asked for, checked and corrected."),
        entry("Targeted patient population", stated=people.patient_population, setting="patient_population",
              needs="Whose records it may be used on."),
        entry("Cautioned out-of-scope settings and use cases", [measured_scope(facts)], stated=people.out_of_scope,
              setting="out_of_scope", enough=False, needs="Tasks, settings and patients that it is not for."),
    )  # fmt: skip


def measured_scope(facts: Facts) -> str | None:
    """What follows from the tests themselves about where the figures hold."""
    cases = measured.use_cases(facts)
    if not cases:
        return None
    language = facts.data["curated"].get("rules", {}).get("language")
    where = f" and for documents in “{language}”" if language else ""
    return f"Measured only for these use cases{where}: {cases}. For anything else nothing is known."


def _warnings(facts: Facts) -> tuple[Block, ...]:
    people = facts.statements
    return (
        entry("Known risks and limitations", risks(facts), stated=people.known_risks, setting="known_risks", enough=False,
              needs="Risks that are known from use, and what is done about them."),
        entry("Known biases or ethical considerations", [measured.groups_said(facts), missing_groups(facts)],
              stated=people.known_biases, setting="known_biases", enough=False,
              needs="Biases that are known or feared, and for whom."),
        entry("Clinical risk level", stated=people.clinical_risk_level, setting="clinical_risk_level",
              needs="The level, and by which scheme it was judged."),
    )  # fmt: skip


def risks(facts: Facts) -> list[str | None]:
    """What the measurements themselves warn of."""
    failed = [reason["text"] for reason in (facts.gate or {}).get("reasons", ()) if not reason["passed"]]
    refused = f"Rules of the gate that are not met: {'; '.join(failed)}." if failed else None
    return [refused, *facts.evaluation.get("cautions", ())]


def missing_groups(facts: Facts) -> str | None:
    """Groups of the declared population that are missing or thin in the data."""
    curated = facts.data["curated"]
    if not curated:
        return None
    if not curated["population"]:
        return "No population was declared to compare the data with (curation.population)."
    return f"Missing or thin in the data against the declared population: {', '.join(curated['lacking']) or 'none'}."


def _system(facts: Facts) -> tuple[Block, ...]:
    people, base, data = facts.statements, facts.base, facts.data
    model = data["model"]
    method = (
        f"Fine-tuned by {model['method']}; objective: {model['objective']}." if "method" in model else None
    )
    foundation = ", ".join(f"{k} {plain(v)}" for k, v in base.items() if k not in ("name", "digest"))
    rules = data["curated"].get("rules")
    policies = sorted({f"{row['policy']} ({row['basis']})" for row in data["deid"] if row.get("policy")})
    return (
        entry("Outcomes and outputs", [_outputs(facts)], stated=people.output_value, setting="output_value", enough=False,
              needs="What the text is worth to whom."),
        entry("Model type", [f"Generative language model. {method or ''}".strip()]),
        entry("Foundation models", [f"{base['name']}: {foundation}" if foundation else base["name"], f"SHA-256 {base['digest']}"]),
        entry("Input data source", [measured.training_data(facts)], enough=True, stated=people.inclusion_criteria,
              setting="inclusion_criteria", needs="Which records were taken, and which were not."),
        entry("Output and input data types", ["Text in, text out."]),
        entry("Development data characterisation",
              ["The rules of curation are in the table that follows." if rules else None,
               f"De-identified under policy {', '.join(policies)}." if policies else None,
               "The data card of this version says more." if data["curated"] else None],
              needs="The data sets are not in this home."),
        *([measured.values(rules, ("Rule of curation", "Value"))] if rules else []),
        *(t for t in (measured.balance(facts, field) for field in ("age band", "sex", "language", "specialty")) if t),
        entry("Bias mitigation approaches", [_weights(facts)], stated=people.bias_mitigation, setting="bias_mitigation",
              enough=False, needs="What is done against unfair output."),
        entry("Ongoing maintenance", maintenance(facts), stated=people.update_schedule, setting="update_schedule"),
        entry("Security", [f"Promotion needs signed approvals: {facts.plan['required_approvals']}."], stated=people.security,
              setting="security", enough=False, needs="How access, transport and storage are secured, and what was tested."),
        entry("Transparency", stated=people.transparency, setting="transparency",
              needs="How users see that a text is the model's."),
    )  # fmt: skip


def _outputs(facts: Facts) -> str | None:
    cases = measured.use_cases(facts)
    return f"Text for: {cases}." if cases else None


def _weights(facts: Facts) -> str | None:
    population = facts.data["curated"].get("population")
    recipe = facts.bundle["recipe"].get("recipe") or {}
    if population and (recipe.get("sampling") or {}).get("population"):
        return f"Training examples were drawn toward the declared population of {', '.join(population)}."
    return None


def maintenance(facts: Facts) -> list[str | None]:
    """How the version is watched and replaced, by the settings in force."""
    plan = facts.plan
    valid = plan["evaluation_valid_days"]
    return [
        f"Retraining on the schedule “{plan['retrain_cron']}” (cron), when {plan['new_documents']} new documents have come, when a "
        f"feature's stability index exceeds {plan['drift_psi']:g}, or when the version is {plan['champion_max_age_days']} days old.",
        f"An evaluation lets a version be promoted for {valid} days."
        if valid
        else "Evaluations do not expire.",
    ]


def _transparency(facts: Facts) -> tuple[Block, ...]:
    people = facts.statements
    third = f"Base model {facts.base['name']}" + (
        f", licence {facts.base['licence']}" if "licence" in facts.base else ""
    )
    return (
        entry("Funding source", stated=people.funding, setting="funding", needs="Who paid for the development."),
        entry("Third-party information", [third], stated=people.third_parties, setting="third_parties"),
        entry("Stakeholders consulted", stated=people.stakeholders, setting="stakeholders",
              needs="Who was asked: clinicians, patients, others."),
    )  # fmt: skip


def _metrics(facts: Facts) -> tuple[Section, ...]:
    external = facts.statements.external_validation
    settings = facts.evaluation.get("settings", {})
    resampled = (
        f" over patients, {settings['bootstrap_samples']} samples" if "bootstrap_samples" in settings else ""
    )
    validation = (
        f"Arms answer the same cases; intervals by bootstrap{resampled}; p corrected by Holm."
        if facts.tuned
        else None
    )
    tests = [measured.tested_on(facts)]

    def section(
        title: str, rules: tuple[str, ...], tables: tuple[Table | None, ...], said: list[str | None]
    ) -> Section:
        goal = [
            r["text"]
            for r in (facts.gate or {}).get("reasons", ())
            if r["rule"].partition(":")[0] in rules or r["rule"] in rules
        ]
        needs = "This was not measured; “preceptor evaluate” does."
        return Section(
            f"Key metrics: {title}",
            (
                entry("Metric goal", goal, needs="No rule of the gates asks for it (gates)."),
                *_results(tables, needs),
                entry("Interpretation", said, needs=needs),
                entry("Test type", ["Internal: held-out cases of the same source."] if facts.tuned else [], needs=needs),
                entry("Testing data description", tests, needs=needs),
                entry("Validation process and justification", [validation], stated=external.process,
                      setting="external_validation.process", needs=needs),
            ),
        )  # fmt: skip

    safety_rules = tuple(
        reason["rule"]
        for reason in (facts.gate or {}).get("reasons", ())
        if reason["rule"].startswith("limit:") and "fairness" not in reason["rule"]
    )
    return (
        section("usefulness, usability and efficacy", ("cases", "gain-over-base", "task-loss", "loss-to-champion", "gain-over-champion"),
                (measured.scores(facts), measured.by_use_case(facts), measured.differences(facts), measured.preferred(facts)), [facts.evaluation.get("verdict")]),
        section("fairness and equity", ("limit:fairness.worst_group_gap",), (measured.groups(facts),), [measured.groups_said(facts)]),
        section("safety and reliability", (*safety_rules, "regression"), (measured.safety(facts),), [measured.gate_said(facts)]),
    )  # fmt: skip


def _results(tables: tuple[Table | None, ...], needs: str) -> tuple[Entry | Table, ...]:
    found = tuple(table for table in tables if table)
    head = entry("Results", ["In the tables that follow."] if found else [], needs=needs)
    return (head, *found)


def _resources(facts: Facts) -> tuple[Block, ...]:
    people = facts.statements
    return (
        entry("Evaluation references", [f"Evaluation {facts.versions['evaluation']}: report.html and report.json in this home."]),
        entry("Clinical trial", stated=people.clinical_trials, setting="clinical_trials", needs="Registration of a trial, or “none”."),
        entry("Peer-reviewed publications", stated=people.publications, setting="publications", needs="References, or “none”."),
        entry("Reimbursement status", stated=people.reimbursement, setting="reimbursement", needs="The status, or “none”."),
        entry("Patient consent or disclosure", [_basis(facts)], stated=people.patient_consent, setting="patient_consent", enough=False,
              needs="Whether patients are told or asked when it is used."),
    )  # fmt: skip


def _basis(facts: Facts) -> str | None:
    bases = facts.data["curated"].get("bases")
    return f"Basis under which the training data are used: {'; '.join(bases)}." if bases else None
