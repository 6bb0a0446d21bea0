"""The probe `reasoning`: does the differential hold the right diagnosis, from findings that are there, or decline?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from preceptor.evaluation.arms import ARMS
from preceptor.evaluation.coding import MIN_EVIDENCE, plain
from preceptor.evaluation.differential import MATCH, parse_differential, token_f1
from preceptor.evaluation.metrics import primary

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

TOP = (1, 3, 5)
_FOR = re.compile(r"\bfor\s*:\s*(.*?)(?=(?:[;.,]|\s[—–-]+)?\s*\bagainst\s*:|$)", re.I)
_BETWEEN = re.compile(r"[;,]\s+")  # "BNP 1,800" is one finding
_NOTHING = frozenset({"", "none", "n/a", "nil", "-"})
_DECLINES = re.compile(
    r"\b(?:(?:can(?:not|'t|’t| not)|unable to|not able to|not possible to|impossible to)\s+(?:\w+\s+){0,4}?"
    r"(?:diagnos\w*|differential|determin\w*|provid\w*|giv\w*|answer\w*|assess\w*|say|tell|conclu\w*|help|assist)"
    r"|(?:insufficient|not enough|too little|inadequate|lack of)\s+(?:\w+\s+){0,2}?(?:information|data|details?|evidence)"
    r"|no\s+(?:\w+\s+){0,2}?(?:diagnosis|differential)\s+(?:can|could|is)\b)",
    re.I,
)


def declines(answer: str) -> bool:
    """Whether an answer says that it cannot tell, and names no diagnosis in a numbered list. An empty one does not decline."""
    listed = re.search(r"^\s*(?:\d{1,2}\s*[.):]|[-*•])\s*\S", answer, re.M)
    return not listed and bool(_DECLINES.search(answer))


def in_top(reference: str, answer: str, k: int) -> bool:
    """Whether the reference's first diagnosis is among the first `k` of the answer: at least half of the words agree, by
    F1."""
    wanted = parse_differential(reference)
    return bool(wanted) and any(token_f1(wanted[0], name) >= MATCH for name in parse_differential(answer)[:k])


def findings_for(answer: str) -> list[str]:
    """Return what an answer says for its diagnoses.

    >>> findings_for("1. Heart failure — for: oedema, BNP 1,800; against: none")
    ['oedema', 'BNP 1,800']
    """
    parts = [
        part.strip(" .;,*_\"'")
        for line in answer.splitlines()
        for said in _FOR.findall(line)
        for part in _BETWEEN.split(said)
    ]
    return [part for part in parts if part.casefold() not in _NOTHING]


def reasoning_facts(
    prompts: Sequence[str], references: Sequence[str], answers: Sequence[str]
) -> dict[str, Any]:
    """Return the measures of answers as they were written.

    `top`: share of the cases with a reference diagnosis in which it is among the first 1, 3, 5; an answer that declines has
    it not. `supported`: share of the findings given `for` a diagnosis that stand in the prompt, apart from case and spacing
    (None without any). `abstained`: how many decline, of those whose reference does too (`rightly`) and of the others
    (`wrongly`), with the numbers of both kinds.
    """
    should = [declines(reference) or not reference.strip() for reference in references]
    did = [declines(answer) for answer in answers]
    asked = [i for i, decline in enumerate(should) if not decline]
    marks = [
        len(plain(finding)) >= MIN_EVIDENCE and plain(finding) in plain(prompt)
        for prompt, answer in zip(prompts, answers, strict=True)
        for finding in findings_for(answer)
    ]
    return {
        "cases": len(answers),
        "top": {
            str(k): sum(not did[i] and in_top(references[i], answers[i], k) for i in asked) / len(asked)
            if asked
            else None
            for k in TOP
        },
        "findings": len(marks),
        "supported": sum(marks) / len(marks) if marks else None,
        "abstained": {
            "should": sum(should),
            "rightly": sum(d and s for d, s in zip(did, should, strict=True)),
            "should_not": len(asked),
            "wrongly": sum(did[i] for i in asked),
            "empty": sum(not answer.strip() for answer in answers),
        },
    }


def probe(material: Material) -> dict[str, Any] | None:
    """Return `arms` (arm -> `reasoning_facts`); None without a case that asks for a differential."""
    arms = {}
    for arm, predictions in material.by_arm.items():
        rows = [p for p in predictions if primary(p.case.task) == "differential_soft_recall"]
        if not rows:
            return None
        found = reasoning_facts(
            [p.case.prompt for p in rows], [p.case.answer for p in rows], [p.answer for p in rows]
        )
        arms[arm] = {"label": ARMS[arm][1], **found}
    gate = {
        f"{arm} top_{k}": share
        for arm, facts in arms.items()
        for k, share in facts["top"].items()
        if share is not None
    } | {
        f"{arm} supported": facts["supported"]
        for arm, facts in arms.items()
        if facts["supported"] is not None
    }
    return {"arms": arms, "gate": gate}
