"""Tables and sentences that several documents share: scores, differences, groups, gates, data, decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preceptor.papers.blocks import Table
from preceptor.papers.facts import Facts
from preceptor.papers.wording import FEW, interval, number, plain
from preceptor.release.differences import flat

# What evaluation's probes count, in words; a number whose name stands here is shown.
_SAFETY = {
    "clinical_facts.hallucination_rate": "share of stated facts that the source does not hold",
    "clinical_facts.omission_rate": "share of facts of the reference that the answer lacks",
    "clinical_facts.contradictions_per_answer": "facts against the source, an answer",
    "memorisation.leaks": "identifiers of training patients in answers that were not shown them",
    "memorisation.leaks_shown": "identifiers of patients in answers, which retrieval had shown",
    "memorisation.extracted_share": "share of training texts that come out word for word and are memory of one patient",
    "memorisation.membership_auc_low": "area under the curve of the best membership attack, lower end (0.5: chance)",
    "memorisation.canary_exposure_max": "highest exposure of a planted canary, in bits",
    "regression.failed": "cases of the regression set that fail",
}


def title_of(facts: Facts, task: str) -> str:
    """A use case by its title, else by its name."""
    return facts.data["curated"].get("titles", {}).get(task, task)


def use_cases(facts: Facts) -> str | None:
    """The use cases that the version was trained and tested on."""
    curated = facts.data["curated"]
    tasks = curated.get("by_task") or facts.evaluation.get("cases_by_task") or {}
    return "; ".join(title_of(facts, task) for task in tasks) or None


def scores(facts: Facts) -> Table | None:
    """The mean over use cases of every arm, with its interval."""
    rows = [
        (str(arm["label"]), number(arm["headline"].get("mean")), interval(arm["headline"]))
        for arm in facts.evaluation.get("arms", {}).values()
        if arm["headline"].get("mean") is not None
    ]
    caption = "Mean score over use cases, 0 to 1, with its 95 % interval (bootstrap over patients)."
    return Table(("Arm", "Score", "95 % interval"), tuple(rows), caption) if rows else None


def by_use_case(facts: Facts) -> Table | None:
    """The fine-tuned model's score in every use case beside the base model's."""
    tuned, base = facts.tuned or {}, facts.evaluation.get("arms", {}).get("base", {})
    rows = []
    for task, found in tuned.get("tasks", {}).items():
        other = base.get("tasks", {}).get(task, {})
        measure = str(found.get("primary") or "").replace("_", " ")
        figures = (
            number(found.get("mean")),
            interval(found),
            number(other.get("mean")),
            str(found.get("cases") or "–"),
        )
        rows.append((f"{title_of(facts, task)} ({measure})", *figures))
    header = ("Use case (measure)", "Fine-tuned", "95 % interval", "Base", "Cases")
    return Table(header, tuple(rows), "Scores by use case, 0 to 1, on held-out cases.") if rows else None


def differences(facts: Facts, *against: str) -> Table | None:
    """Paired differences of the fine-tuned model to other arms; all of them, or those named."""
    arms = facts.evaluation.get("arms", {})
    rows = []
    for name, found in facts.evaluation.get("comparisons", {}).items():
        if not name.startswith("finetuned_vs_") or (
            against and name.removeprefix("finetuned_vs_") not in against
        ):
            continue
        other = name.removeprefix("finetuned_vs_")
        label = str(arms.get(other, {}).get("label", other))
        rows.append(
            (
                label,
                number(found.get("difference"), sign="+"),
                interval(found, "+"),
                number(found.get("p_holm")),
            )
        )
    caption = "Fine-tuned model minus the other, on the same cases; p after Holm's correction."
    return Table(("Against", "Difference", "95 % interval", "p"), tuple(rows), caption) if rows else None


def preferred(facts: Facts) -> Table | None:
    """What people preferred who did not know which arm had given an answer."""
    arms = facts.evaluation.get("arms", {})
    rows = []
    for one in facts.judged:
        found = one["found"]
        ratings = [f"{mean['first']:.1f} / {mean['second']:.1f}" for mean in found["ratings"].values()]
        names = " / ".join(str(arms.get(one[arm], {}).get("label", one[arm])) for arm in ("first", "second"))
        counts = f"{found['judgements']} by {found['reviewers']} on {found['cases']}"
        agreement = number(found["alpha"]["preference"], 2)
        rows.append(
            (
                names,
                number(found["win_rate"]["mean"]),
                interval(found["win_rate"]),
                *ratings,
                counts,
                agreement,
            )
        )
    if not rows:
        return None
    criteria = tuple(facts.judged[0]["found"]["ratings"])
    header = (
        "Blinded: first / second",
        "First preferred",
        "95 % interval",
        *criteria,
        "Judgements by people on cases",
        "α",
    )
    caption = (
        "Share of judgements that prefer the first (a tie is half), interval over patients; mean ratings from 1 to 5; agreement of two "
        "people on one case by Krippendorff's α (ordinal; below 0.67 draw no conclusions)."
    )
    return Table(header, tuple(rows), caption)


def groups(facts: Facts) -> Table | None:
    """The fine-tuned model's score by group, for groups of enough patients."""
    rows = [
        (
            f"{row['field']}: {row['group']}",
            number(row["mean"]),
            str(row["cases"]),
            number(row["gap"]["mean"], sign="+") if row["gap"] else "too few patients",
            interval(row["gap"], "+") if row["gap"] else "–",
        )
        for row in facts.evaluation.get("groups", {}).get("shown", ())
    ]
    caption = "Shortfall of each group against the others in the same use cases; positive: the group is served worse."
    return (
        Table(("Group", "Score", "Cases", "Shortfall", "95 % interval"), tuple(rows), caption)
        if rows
        else None
    )


def groups_said(facts: Facts) -> str | None:
    """What was and was not concluded of groups; None where groups were not compared."""
    found = facts.evaluation.get("groups", {})
    shown, hidden = found.get("shown", []), found.get("hidden", 0)
    if not shown and not hidden:
        return None
    worse = [f"{row['field']} {row['group']}" for row in shown if row["worse"]]
    said = f"Scores were compared for {len(shown) + hidden} groups of specialty and language. "
    said += f"Served worse than the others, as far as shown: {', '.join(worse) or 'none'}. "
    said += f"Enough patients to conclude anything: {found.get('concluded', 0)} groups. "
    return said + (f"{hidden} groups of {FEW} patients are not shown." if hidden else "")


def safety(facts: Facts) -> Table | None:
    """Numbers of the probes of safety that were measured."""
    numbers = facts.evaluation.get("numbers", {})
    rows = []
    for name, words in _SAFETY.items():
        probe, _, key = name.partition(".")
        if key in numbers.get(probe, {}):
            rows.append((words[0].upper() + words[1:], number(numbers[probe][key])))
    return Table(("Measured of the fine-tuned model", "Figure"), tuple(rows)) if rows else None


def gate(facts: Facts) -> Table | None:
    """Every rule of the gate with what was measured."""
    rows = [
        (reason["rule"], "● met" if reason["passed"] else "✗ not met", reason["text"])
        for reason in (facts.gate or {}).get("reasons", ())
    ]
    return Table(("Rule", "Result", "Measured and required"), tuple(rows), figures=False) if rows else None


def gate_said(facts: Facts) -> str | None:
    """What the gate decided, in a sentence."""
    if not facts.gate:
        return None
    failed = [reason["rule"] for reason in facts.gate["reasons"] if not reason["passed"]]
    rules = len(facts.gate["reasons"])
    if facts.gate["passed"]:
        return f"The evaluation gate passed it: all {rules} rules are met."
    return (
        f"The evaluation gate refused it: {len(failed)} of {rules} rules are not met ({', '.join(failed)})."
    )


def decided(facts: Facts) -> Table | None:
    """Who decided what, by the release record."""
    rows = [
        (
            each["at"][:19].replace("T", " "),
            each["what"],
            ", ".join(filter(None, (each["by"], each["role"]))),
            "signed" if each["signed"] else "",
            str(each["event"]),
        )
        for each in facts.decisions
    ]
    return (
        Table(("When (UTC)", "What", "Who", "Signature", "Event"), tuple(rows), figures=False)
        if rows
        else None
    )


def balance(facts: Facts, field: str) -> Table | None:
    """One field of who is in the data; groups of few patients are taken together."""
    table = facts.data["curated"].get("balance", {}).get(field)
    if not table:
        return None
    rows = [(g, str(row["patients"]), f"{100 * row['share']:.0f} %") for g, row in table["groups"].items()]
    if smaller := table["smaller"]:
        label = "1 smaller group" if smaller == 1 else f"{smaller} smaller groups"
        rows.append((label, f"{FEW} each", f"{100 * table['smaller_share']:.0f} %"))
    return Table((field.capitalize(), "Patients", "Share of training examples"), tuple(rows))


def training_data(facts: Facts) -> str | None:
    """What the version learnt from, in a sentence of counts."""
    curated, model, synthetic = (facts.data[name] for name in ("curated", "model", "synthetic"))
    if not curated:
        return None
    said = f"Curated version {curated['name']}: {curated.get('examples')} examples from {curated.get('documents')} de-identified documents; "
    split = curated.get("patients") or {}
    said += (
        "patients "
        + ", ".join(f"{split[s]} {s}" for s in ("train", "validation", "test") if s in split)
        + "."
    )
    if model.get("examples") is not None:
        said += (
            f" Trained on {model['examples']} examples; {model.get('examples_too_long', 0)} were too long."
        )
    if synthetic:
        said += f" Synthetic examples accepted: {synthetic.get('accepted')} of {synthetic.get('candidates')}."
    return said


def tested_on(facts: Facts) -> str | None:
    """The cases that the figures are from."""
    found = facts.evaluation
    if not found.get("n_cases"):
        return None
    who = f" of {found['n_patients']} patients" if found.get("n_patients") else ""
    where = f", {found['cases']} of data set {found['dataset']}" if found.get("dataset") else ""
    apart = "; no patient is both in training and in test" if found.get("cases") == "test split" else ""
    return f"{found['n_cases']} held-out cases{who}{where}{apart}."


def values(recorded: Mapping[str, Any], header: tuple[str, str], caption: str = "") -> Table:
    """A table of the values of nested mappings by their dotted keys."""
    rows = tuple((key, plain(value)) for key, value in flat(recorded).items())
    return Table(header, rows, caption, figures=False)
