"""The mapping to the NIST AI RMF 1.0: each subcategory with the fact, statement, command or page that serves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from preceptor.papers import measured
from preceptor.papers.blocks import Document, Entry, Section, State, counted, entries, paragraphs
from preceptor.papers.facts import Facts
from preceptor.papers.model_card import maintenance, measured_scope, risks
from preceptor.papers.risk_framework_rows import ROWS, Row
from preceptor.papers.source_attributes import in_use
from preceptor.papers.wording import number, plain

SOURCE = (
    "Numbers: NIST AI 100-1, Artificial Intelligence Risk Management Framework (AI RMF 1.0), January 2023."
)


def risk_framework(facts: Facts) -> Document:
    """Lay out the mapping of a version."""
    sections = tuple(
        Section(function, tuple(_entry(facts, row) for row in ROWS if row.code.startswith(f"{function} ")))
        for function in ("GOVERN", "MAP", "MEASURE", "MANAGE")
    )
    paper = Document(
        "risk-framework",
        "NIST AI RMF mapping",
        "What serves each subcategory of the risk management framework, and what does not.",
        SOURCE,
        sections,
    )
    said = (
        counted("subcategories", entries(paper)),
        "Served means that what is named exists for this version; whether it is enough is for the organisation to judge.",
    )
    return replace(paper, summary=said)


def _entry(facts: Facts, row: Row) -> Entry:
    found = [text for name in row.facts for text in EVIDENCE[name](facts) if text]
    named = [name.replace("_", " ") for name in row.statements if _stated(facts, name)]
    if named:
        found.append(f"Stated in the other papers: {', '.join(named)}.")
    tools = [f"“preceptor {command}”" for command in row.commands] + [f"docs/{page}.md" for page in row.docs]
    people = paragraphs(facts.statements.governance.get(row.code, ""))
    if people or (found and not row.needs):
        states: tuple[State, ...] = (State.SERVED, State.STATED) if people else (State.SERVED,)
    else:
        states = (State.SERVED_PARTLY,) if found or tools else (State.NOT_SERVED,)
    said = (*found, *((f"See {', '.join(tools)}.",) if tools else ()))
    needs = row.needs or ("" if found else "What is asked for was not recorded of this version.")
    return Entry(
        row.subject,
        states,
        said,
        people,
        "" if people or not needs else f"{needs} (papers.governance)",
        row.code,
    )


def _stated(facts: Facts, name: str) -> bool:
    value = getattr(facts.statements, name)
    return any(value.model_dump().values()) if name == "external_validation" else bool(value)


def _one(said: Callable[[Facts], str | None]) -> Callable[[Facts], list[str | None]]:
    return lambda facts: [said(facts)]


def _policy(facts: Facts) -> str:
    limits = len(facts.plan["gates"].get("limits") or {})
    return (
        f"Gate policy in force {facts.plan['gate_policy'][:12]} ({limits} limits beside the general rules); signed approvals that promotion "
        f"needs: {facts.plan['required_approvals']}."
    )


def _approvals(facts: Facts) -> str | None:
    held = [each for each in facts.decisions if each["what"] == "approved" and each["counts"]]
    named = ", ".join(f"{each['by']} ({each['role']})" for each in held)
    return f"Signed approvals that hold: {named}." if held else None


def _decision(facts: Facts) -> str | None:
    made = [
        each
        for each in facts.decisions
        if each["what"] in ("approved", "rejected", "barred", "promoted", "gate refused")
    ]
    return (
        f"Last decision: {made[-1]['what']}, {made[-1]['at'][:10]}, event {made[-1]['event']}."
        if made
        else None
    )


def _reviewers(facts: Facts) -> str | None:
    seen = [each for each in facts.decisions if each["what"] == "version reviewed"]
    named = ", ".join(dict.fromkeys(f"{each['by']} ({each['role']})" for each in seen))
    return f"Signed as reviewed by {named}." if seen else None


def _corrected(facts: Facts) -> str | None:
    reviewed = facts.data["curated"].get("reviewed")
    return f"Examples of the data that a clinician accepted or corrected: {reviewed}." if reviewed else None


def _deid(facts: Facts) -> str | None:
    rows = [row for row in facts.data["deid"] if row.get("policy")]
    return "; ".join(
        f"{row['version']}: policy {row['policy']} ({row['basis']}), {row['spans']} identifiers replaced, {row['withheld']} documents withheld"
        for row in rows
    ) + "." if rows else None  # fmt: skip


def _probe(facts: Facts, probe: str, words: str) -> str | None:
    numbers = facts.evaluation.get("numbers", {}).get(probe)
    return (
        f"{words}: " + ", ".join(f"{name.replace('_', ' ')} {number(v)}" for name, v in numbers.items()) + "."
        if numbers
        else None
    )


def _base(facts: Facts) -> str:
    licence = facts.base.get("licence", "not recorded")
    return f"Base model {facts.base['name']}, licence {licence}, SHA-256 {facts.base['digest'][:12]}."


def _method(facts: Facts) -> str | None:
    model = facts.data["model"]
    return (
        f"A generative language model, fine-tuned by {model['method']}; objective: {model['objective']}."
        if "method" in model
        else None
    )


def _drift(facts: Facts) -> str | None:
    found = facts.production["drift"]
    return (
        f"Drift measured {found['measured_at'][:10]}: {plain(found['psi'])} (limit {found['limit']})."
        if found
        else None
    )


def _measures(facts: Facts) -> str | None:
    found = facts.evaluation.get("measures")
    return f"Measures by use case: {plain(found)}." if found else None


def _alternatives(facts: Facts) -> str | None:
    arms = [
        str(arm["label"]) for name, arm in facts.evaluation.get("arms", {}).items() if name != "finetuned"
    ]
    return f"Compared on the same cases: {', '.join(arms)}." if arms else None


def _before(facts: Facts) -> str | None:
    return f"The version in use before: {facts.before['ref']}." if facts.before else None


def _effort(facts: Facts) -> str | None:
    model = facts.data["model"]
    return (
        f"Training took {model['seconds']:.0f} seconds, {model.get('steps')} steps; energy was not measured."
        if "seconds" in model
        else None
    )


def _basis(facts: Facts) -> str | None:
    bases = facts.data["curated"].get("bases")
    return f"Basis of the data: {'; '.join(bases)}." if bases else None


def _cases(facts: Facts) -> str | None:
    cases = measured.use_cases(facts)
    return f"Use cases: {cases}." if cases else None


EVIDENCE: dict[str, Callable[[Facts], list[str | None]]] = {
    "alternatives": _one(_alternatives),
    "approvals": _one(_approvals),
    "base": _one(_base),
    "basis": _one(_basis),
    "before": _one(_before),
    "cases": _one(_cases),
    "corrected": _one(_corrected),
    "data": _one(measured.training_data),
    "decision": _one(_decision),
    "deid": _one(_deid),
    "drift": _one(_drift),
    "effort": _one(_effort),
    "feedback": lambda facts: in_use(facts)[-1:] if facts.production["feedback"] else [],
    "gate": _one(measured.gate_said),
    "groups": _one(measured.groups_said),
    "lock": lambda facts: [f"Code {plain(facts.bundle['code'])}; lock file {str(facts.bundle['lock'])[:19]}."],
    "measures": _one(_measures),
    "memory": lambda facts: [_probe(facts, "memorisation", "Memorisation")],
    "method": _one(_method),
    "policy": _one(_policy),
    "record": lambda facts: [f"Events of the tamper-evident record about this version: {len(facts.decisions)}."],
    "registered": lambda facts: [f"Registered as {facts.ref}, status {facts.status}."],
    "reviewers": _one(_reviewers),
    "risks": risks,
    "safety": lambda facts: [_probe(facts, "clinical_facts", "Facts in answers")],
    "scope": _one(measured_scope),
    "scores": lambda facts: [facts.evaluation.get("verdict")],
    "tests": _one(measured.tested_on),
    "traffic": lambda facts: in_use(facts)[:1] if facts.production["traffic"] else [],
    "watch": lambda facts: list(maintenance(facts)[:1]),
}  # fmt: skip
