"""The source attributes of predictive decision support interventions, paragraph by paragraph.

Source: 45 CFR 170.315(b)(11)(iv)(B), with the variables of (iv)(A)(5) to (13), as amended by ONC's HTI-1 final rule, 89 FR
1192, 9 January 2024 (31 attributes; checked 29 November 2026 against the lists in OpenEMR's ONC default values and Aidbox's
documentation of (b)(11)). ASTP/ONC proposed to remove them (HTI-5 proposed rule, 29 December 2025); whether that became
final was not established. Names of attributes are the regulation's, shortened; nothing else is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from preceptor.papers import measured
from preceptor.papers.blocks import Block, Document, Entry, Section, counted, entries, entry
from preceptor.papers.facts import Facts
from preceptor.papers.model_card import maintenance, measured_scope, missing_groups, risks
from preceptor.papers.wording import plain
from preceptor.settings import HtiVariable

SOURCE = (
    "Attributes: 45 CFR 170.315(b)(11)(iv)(B), as amended by 89 FR 1192 (HTI-1 final rule), 9 January 2024."
)
VARIABLES: tuple[HtiVariable, ...] = get_args(HtiVariable)
_VALIDATION = "A validation on data of another source; Preceptor makes none."


def source_attributes(facts: Facts) -> Document:
    """Lay out the 31 attributes of a version."""
    sections = (
        Section("(B)(1) Details and output of the intervention", _details(facts)),
        Section("(B)(2) Purpose of the intervention", _purpose(facts)),
        Section("(B)(3) Cautioned out-of-scope use of the intervention", _cautions(facts)),
        Section("(B)(4) Intervention development details and input features", _development(facts)),
        Section(
            "(B)(5) Process used to ensure fairness in development of the intervention", _fairness(facts)
        ),
        Section("(B)(6) External validation process", _external(facts)),
        Section("(B)(7) Quantitative measures of performance", _performance(facts)),
        Section("(B)(8) Ongoing maintenance of intervention implementation and use", _maintenance(facts)),
        Section("(B)(9) Update and continued validation or fairness assessment schedule", _schedule(facts)),
    )
    paper = Document(
        "source-attributes",
        "Source attributes for a predictive decision support intervention",
        "The source attributes that ONC's HTI-1 rule lists for predictive decision support interventions in certified health IT.",
        SOURCE,
        sections,
    )
    found = [each for each in entries(paper) if each.code.startswith("(B)")]
    said = (
        counted("attributes", found),
        "Whether the model is such an intervention, and whether what is said suffices, is for the developer to decide. A proposed rule "
        "(HTI-5, 29 December 2025) would remove these attributes: look whether it became final.",
    )
    return replace(paper, summary=said)


def _details(facts: Facts) -> tuple[Block, ...]:
    people, cases = facts.statements, measured.use_cases(facts)
    developer = "\n\n".join(filter(None, (people.developer, people.contact)))
    return (
        entry("Name and contact information for the intervention developer", stated=developer, setting="developer and papers.contact",
              needs="The organisation, and an address for questions and reports.", code="(B)(1)(i)"),
        entry("Funding source of the technical implementation", stated=people.funding, setting="funding",
              needs="Who paid for the development.", code="(B)(1)(ii)"),
        entry("Description of value that the intervention produces as an output", [f"Text for: {cases}." if cases else None],
              stated=people.output_value, setting="output_value", enough=False, needs="What the text is worth to whom.",
              code="(B)(1)(iii)"),
        entry("Whether the output is a prediction, classification, recommendation, evaluation, analysis, or other type",
              ["Text that a language model writes."], stated=people.output_type, setting="output_type", enough=False,
              needs="The type of output, by use case.", code="(B)(1)(iv)"),
    )  # fmt: skip


def _purpose(facts: Facts) -> tuple[Block, ...]:
    people, cases = facts.statements, measured.use_cases(facts)
    return (
        entry("Intended use of the intervention", [f"Trained and tested for: {cases}." if cases else None],
              stated=people.intended_use, setting="intended_use", enough=False,
              needs="What it is used for, and where in the work.", code="(B)(2)(i)"),
        entry("Intended patient population(s)", stated=people.patient_population, setting="patient_population",
              needs="Whose records it may be used on.", code="(B)(2)(ii)"),
        entry("Intended user(s)", stated=people.intended_users, setting="intended_users", needs="Who works with it.",
              code="(B)(2)(iii)"),
        entry("Intended decision-making role", stated=people.decision_role, setting="decision_role",
              needs="Whether it informs, augments or replaces clinical management.", code="(B)(2)(iv)"),
    )  # fmt: skip


def _cautions(facts: Facts) -> tuple[Block, ...]:
    people = facts.statements
    return (
        entry("Tasks, situations, or populations where a user is cautioned against applying it", [measured_scope(facts)],
              stated=people.out_of_scope, setting="out_of_scope", enough=False,
              needs="Tasks, settings and patients that it is not for.", code="(B)(3)(i)"),
        entry("Known risks, inappropriate settings, inappropriate uses, or known limitations", risks(facts),
              stated=people.known_risks, setting="known_risks", enough=False,
              needs="Risks that are known from use, and what is done about them.", code="(B)(3)(ii)"),
    )  # fmt: skip


def _development(facts: Facts) -> tuple[Block, ...]:
    people, curated = facts.statements, facts.data["curated"]
    removed, rules = curated.get("removed"), curated.get("rules")
    withheld = [
        f"{row['withheld']} documents were withheld by de-identification."
        for row in facts.data["deid"]
        if "withheld" in row
    ]
    read = "It has no input feature of its own: the model reads text, in which it may be mentioned."
    where = (
        f"Sources of documents: {curated['sites']}; types of note: {curated['note_types']}."
        if curated.get("sites")
        else None
    )
    tables = [
        t for t in (measured.balance(facts, f) for f in ("age band", "sex", "language", "specialty")) if t
    ]
    stated = "\n\n".join(f"{name}: {said}" for name, said in people.input_variables.items() if said)
    return (
        entry("Exclusion and inclusion criteria that influenced the training data set",
              ["The rules of curation are in the table that follows." if rules else None,
               f"Removed by rule: {plain(removed)}." if removed else None, *withheld],
              stated=people.inclusion_criteria, setting="inclusion_criteria",
              needs="Which records were taken, and which were not.", code="(B)(4)(i)"),
        *([measured.values(rules, ("Rule of curation", "Value"))] if rules else []),
        entry("Use of the variables of (A)(5) to (13) as input features",
              ["No structured variable is an input feature; one line for each follows."] if facts.bundle["recipe"] else [],
              stated=stated, setting="input_variables", code="(B)(4)(ii)"),
        *(entry(f"Use of {name}", [read], stated=people.input_variables.get(name, ""), code=f"(A)({number})")
          for number, name in enumerate(VARIABLES, start=5)),
        entry("Description of demographic representativeness according to those variables",
              ["Age, sex and language in the tables that follow; race, ethnicity, sexual orientation, gender identity, social determinants "
               "and health status are not counted in the data." if tables else None, missing_groups(facts)],
              stated=people.representativeness, setting="representativeness", enough=False,
              needs="How far the patients are like those it is meant for, by each variable.", code="(B)(4)(iii)"),
        *tables,
        entry("Relevance of training data to intended deployed setting", [where], stated=people.relevance, setting="relevance",
              enough=False, needs="Why these data speak for the place where it is used.", code="(B)(4)(iv)"),
    )  # fmt: skip


def _fairness(facts: Facts) -> tuple[Block, ...]:
    people = facts.statements
    limit = (facts.plan["gates"].get("limits") or {}).get("fairness.worst_group_gap")
    bound = f"The gates bound the shortfall of the worst group: {plain(limit)}." if limit else None
    drawn = facts.bundle["recipe"].get("recipe", {}).get("sampling", {}).get("population")
    weighted = "Training examples were drawn toward the declared population." if drawn else None
    return (
        entry("Approach taken to ensure that the output is fair", [measured.groups_said(facts), bound],
              stated=people.fairness_approach, setting="fairness_approach", enough=False,
              needs="What is held to be fair output, and how it is ensured.", code="(B)(5)(i)"),
        entry("Approaches to manage, reduce, or eliminate bias", [weighted], stated=people.bias_mitigation,
              setting="bias_mitigation", enough=False, needs="What is done against unfair output.", code="(B)(5)(ii)"),
    )  # fmt: skip


def _external(facts: Facts) -> tuple[Block, ...]:
    said = facts.statements.external_validation

    def outside(label: str, text: str, name: str, code: str) -> Entry:
        return entry(label, stated=text, setting=f"external_validation.{name}", needs=_VALIDATION, code=code)

    return (
        outside(
            "Data source, clinical setting, or environment of external validation",
            said.source,
            "source",
            "(B)(6)(i)",
        ),
        outside("Party that conducted the external testing", said.party, "party", "(B)(6)(ii)"),
        outside(
            "Demographic representativeness of external data",
            said.representativeness,
            "representativeness",
            "(B)(6)(iii)",
        ),
        outside("Description of external validation process", said.process, "process", "(B)(6)(iv)"),
    )


def _performance(facts: Facts) -> tuple[Block, ...]:
    people = facts.statements
    external = people.external_validation
    shown = [
        table
        for table in (
            measured.scores(facts),
            measured.by_use_case(facts),
            measured.differences(facts),
            measured.safety(facts),
        )
        if table
    ]
    by_group = measured.groups(facts)
    concluded = bool(facts.evaluation.get("groups", {}).get("concluded"))
    return (
        entry("Validity in test data derived from the same source as the initial training data",
              [measured.tested_on(facts), facts.evaluation.get("verdict"), "Figures in the tables that follow." if shown else None],
              needs="An evaluation.", code="(B)(7)(i)"),
        *shown,
        entry("Fairness in test data derived from the same source as the initial training data", [measured.groups_said(facts)],
              enough=concluded, needs="Groups of enough patients in the test data, and groups beside specialty and language.", code="(B)(7)(ii)"),
        *((by_group,) if by_group else ()),
        entry("Validity in data external to or from a different source than the initial training data", stated=external.validity,
              setting="external_validation.validity", needs=_VALIDATION, code="(B)(7)(iii)"),
        entry("Fairness in data external to or from a different source than the initial training data", stated=external.fairness,
              setting="external_validation.fairness", needs=_VALIDATION, code="(B)(7)(iv)"),
        entry("References to evaluation of use of the intervention on outcomes", stated=people.outcome_evaluations,
              setting="outcome_evaluations", needs="References, or “none”.", code="(B)(7)(v)"),
    )  # fmt: skip


def _maintenance(facts: Facts) -> tuple[Block, ...]:
    people, drift, plan = facts.statements, facts.production["drift"], facts.plan
    watched = f"New documents are compared with those it learnt from; drift is a stability index above {plan['drift_psi']:g}."
    moved = (
        f"On {drift['measured_at'][:10]}: {drift['new_documents']} new documents, {plain(drift['psi'])}; "
        f"{'drifted' if drift['drifted'] else 'not drifted'}." if drift else None
    )  # fmt: skip
    return (
        entry("Process and frequency by which validity is monitored over time", [watched, moved], stated=people.validity_monitoring,
              setting="validity_monitoring", enough=False, needs="Who looks at it, and how often.", code="(B)(8)(i)"),
        entry("Validity in local data", in_use(facts), stated=people.local_validity, setting="local_validity", enough=False,
              needs="What was measured where it is used.", code="(B)(8)(ii)"),
        entry("Process and frequency by which fairness is monitored over time", stated=people.fairness_monitoring,
              setting="fairness_monitoring", needs="Who looks at it, and how often.", code="(B)(8)(iii)"),
        entry("Fairness in local data", stated=people.local_fairness, setting="local_fairness",
              needs="What was measured where it is used.", code="(B)(8)(iv)"),
    )  # fmt: skip


def in_use(facts: Facts) -> list[str | None]:
    """What production recorded: answers, and what clinicians did with them."""
    served, feedback = facts.production["traffic"], facts.production["feedback"]
    said: list[str | None] = []
    if served:
        said.append(
            f"{served['answers']} answers from {served['first']} to {served['last']} ({plain(served['roles'])}; ended: "
            f"{plain(served['outcomes'])})."
        )
    if feedback:
        said.append(
            f"{feedback['entries']} entries of feedback: mean rating {plain(feedback['mean_rating'])} of 5 ({feedback['ratings']}), share "
            f"of the draft kept {plain(feedback['mean_kept'])} ({feedback['kept']})."
        )
    return said


def _schedule(facts: Facts) -> tuple[Block, ...]:
    people = facts.statements
    back = "A rollback to the previous champion takes no new signature (“preceptor release rollback”)."
    return (
        entry("Process and frequency by which the intervention is updated", maintenance(facts), stated=people.update_schedule,
              setting="update_schedule", code="(B)(9)(i)"),
        entry("Frequency by which performance is corrected when risks to validity and fairness are identified", [back],
              stated=people.correction_schedule, setting="correction_schedule", enough=False,
              needs="Within what time a risk that was found is corrected.", code="(B)(9)(ii)"),
    )  # fmt: skip
