"""The record of a version's changes in the manner of a predetermined change control plan (PCCP).

Its three parts, and the four of its protocol, are those of FDA, "Marketing Submission Recommendations for a Predetermined
Change Control Plan for Artificial Intelligence-Enabled Device Software Functions", final guidance of 4 December 2024, reissued
August 2025; section 515C of the FD&C Act (read about 29 November 2026). It is a record of one change under a plan, not a
submission, and says nothing of whether the software is a device.
"""

from __future__ import annotations

from preceptor.papers import measured
from preceptor.papers.blocks import Block, Bullets, Document, Entry, Section, State, Table, Text, entry
from preceptor.papers.change_plan import KINDS, WITHIN, Change, Verification, changes, verifications, within
from preceptor.papers.facts import Facts
from preceptor.papers.wording import plain
from preceptor.settings import PlannedModification

SOURCE = (
    "Parts: FDA, Marketing Submission Recommendations for a Predetermined Change Control Plan for AI-Enabled Device Software "
    "Functions, final guidance, 4 December 2024 (reissued August 2025)."
)


def change_record(facts: Facts) -> Document:
    """Lay out what changed against the champion before, and whether within the plan."""
    plan = facts.statements.pccp
    found = changes(facts.before["bundle"], facts.bundle, plan) if facts.before else []
    verified = verifications(found, plan, facts.gate)
    return Document(
        "change-record",
        "Change record",
        "What changed against the version in use before, whether within the plan agreed before, and what was verified.",
        SOURCE,
        (
            Section("Versions compared", _compared(facts)),
            Section("Description of modifications", _modifications(facts, found)),
            Section("Modification protocol: data management", _data(facts, found)),
            Section("Modification protocol: re-training", _retraining(facts)),
            Section("Modification protocol: performance evaluation", _evaluation(facts, verified)),
            Section("Modification protocol: update procedures", _update(facts)),
            Section("Impact assessment", _impact(facts, found)),
        ),
        (conclusion(facts, found, verified),),
    )


def conclusion(facts: Facts, found: list[Change], verified: list[Verification]) -> str:
    """Within the plan or not, and why, in a sentence."""
    plan = facts.statements.pccp
    if facts.before is None:
        return "There was no champion before this version: there is nothing that it changes."
    ahead = f"{len(found)} recorded values differ from {facts.before['ref']}."
    if plan is None:
        return f"{ahead} No plan of modifications is recorded (papers.pccp), so whether they lie within one is not known."
    if within(found, verified, plan):
        return f"{ahead} All lie within the plan, and all that the plan wants verified is met."
    out = [change.key for change in found if change.finding != WITHIN]
    unmet = [
        f"{each.rule} ({'not met' if each.met is False else 'not measured'})"
        for each in verified
        if each.met is not True
    ]
    why = [f"not within the plan: {', '.join(out)}"] if out else []
    why += [f"verification: {', '.join(unmet)}"] if unmet else []
    return f"{ahead} The change is NOT within the plan: {'; '.join(why)}."


def _compared(facts: Facts) -> tuple[Block, ...]:
    before, plan = facts.before, facts.statements.pccp
    told = f"{before['ref']}, SHA-256 of its files {before['digest']}" if before else None
    first = "None: no version was in use before it."
    return (
        entry("This version", [f"{facts.ref}, {facts.status}, SHA-256 of its files {facts.digest}"]),
        entry("Version in use before", [told or first]),
        entry(
            "Plan",
            stated=plan.reference if plan else "",
            setting="pccp",
            needs="Where the agreed plan is filed, and its modifications.",
        ),
    )


def _modifications(facts: Facts, found: list[Change]) -> tuple[Block, ...]:
    if facts.before is None:
        return (Text("No version was in use before: nothing is compared."),)
    blocks: list[Block] = []
    for kind in KINDS:
        rows = tuple(
            (
                c.key,
                c.before,
                c.after,
                f"{_mark(c)} {c.finding}" if c.finding else "no plan",
                ", ".join(c.modifications) or "–",
            )
            for c in found
            if c.kind == kind
        )
        if rows:
            blocks.append(
                Table(
                    ("Recorded value", "Before", "Now", "Finding", "Planned modification"),
                    rows,
                    kind,
                    figures=False,
                )
            )
        else:
            blocks.append(entry(kind, ["Unchanged."]))
    plan = facts.statements.pccp
    if plan:
        blocks.append(Text("The modifications that the plan foresees:"))
        blocks.append(Bullets(tuple(f"{name}: {_foreseen(m)}" for name, m in plan.modifications.items())))
    return tuple(blocks)


def _mark(change: Change) -> str:
    return State.MET.mark if change.finding == WITHIN else State.FAILED.mark


def _foreseen(planned: PlannedModification) -> str:
    ranges = [
        f"{key} {plain({k: v for k, v in limit.model_dump().items() if v is not None})}"
        for key, limit in planned.allowed.items()
    ]
    allowed = f"; allowed: {'; '.join(ranges)}" if ranges else ""
    return (
        f"changes {', '.join(planned.changes)}{allowed}; to be verified: {', '.join(planned.verification)}."
    )


def _data(facts: Facts, found: list[Change]) -> tuple[Block, ...]:
    moved = [change.key for change in found if change.kind == "Data"]
    frozen = "Test cases are frozen: a use case keeps them from version to version."
    return (
        entry(
            "Data of this version",
            [measured.training_data(facts)],
            needs="The data sets are not in this home.",
        ),
        *([entry("Data versions that changed", [", ".join(moved) or "None."])] if facts.before else []),
        entry(
            "Reference standard",
            [measured.tested_on(facts), frozen if facts.evaluation.get("dataset") else None],
            needs="An evaluation.",
        ),
    )


def _retraining(facts: Facts) -> tuple[Block, ...]:
    model = facts.data["model"]
    return (
        measured.values(facts.bundle["recipe"].get("recipe", facts.bundle["recipe"]), ("Recipe", "Value")),
        measured.values(model, ("Training", "Value"))
        if model
        else entry("Training", needs="The trained model is not in this home."),
        entry(
            "Code and libraries",
            [f"Code: {plain(facts.bundle['code'])}.", f"Lock file: {facts.bundle['lock']}."],
        ),
    )


def _evaluation(facts: Facts, verified: list[Verification]) -> tuple[Block, ...]:
    wanted = [
        Entry(
            f"{each.modification}: {each.rule}",
            (_state(each),),
            each.found,
            needs="" if each.found else "The gate has no such rule.",
        )
        for each in verified
    ]
    return (
        *(
            wanted
            or (
                entry(
                    "Verification that the plan wants",
                    needs="A plan that names rules of the gates (papers.pccp).",
                ),
            )
        ),
        entry("Decision of the gate", [measured.gate_said(facts)], needs="A decision of the gates."),
        *(
            t
            for t in (measured.gate(facts), measured.differences(facts, "champion"), measured.scores(facts))
            if t
        ),
    )


def _state(each: Verification) -> State:
    return {True: State.MET, False: State.FAILED, None: State.MISSING}[each.met]


def _update(facts: Facts) -> tuple[Block, ...]:
    approvals = [each for each in facts.decisions if each["what"] == "approved" and each["counts"]]
    signed = "; ".join(f"{a['by']} ({a['role']}), {a['at'][:10]}, event {a['event']}" for a in approvals)
    table = measured.decided(facts)
    return (
        entry("Approvals that hold", [signed], needs=f"{facts.plan['required_approvals']} signed approval(s)."),
        entry("How it comes into use", ["Gates and checksums are checked again, then the aliases are moved in one step; the version before "
                                        "stays as “previous” for a rollback. Reasons stand in the record: “preceptor release history”."]),
        *((table,) if table else ()),
    )  # fmt: skip


def _impact(facts: Facts, found: list[Change]) -> tuple[Block, ...]:
    plan = facts.statements.pccp
    made = dict.fromkeys(name for change in found for name in change.modifications)
    told = [
        entry(f"Impact of “{name}”", stated=plan.modifications[name].impact, setting=f"pccp.modifications.{name}.impact",
              needs="Benefits, risks, and how they are mitigated.")
        for name in made
    ] if plan else []  # fmt: skip
    against = facts.evaluation.get("comparisons", {}).get("finetuned_vs_champion")
    moved = measured.differences(facts, "champion")
    return (
        *told,
        entry("Measured against the champion", ["In the table under performance evaluation."] if against and moved else [],
              needs="An evaluation with the champion among its arms."),
        entry("Cautions of the evaluation", facts.evaluation.get("cautions", []), needs="None was recorded."),
    )  # fmt: skip
