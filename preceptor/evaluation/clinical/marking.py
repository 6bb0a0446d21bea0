"""Answers and references with their facts marked, for the page: amber, since it shows text of cases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from preceptor.evaluation.clinical.compare import CONTRADICTIONS, INVENTED, OVERSTATED, Judged, compare
from preceptor.evaluation.clinical.extract import Fact, extract
from preceptor.evaluation.clinical.probe import LISTED, is_written, shown_arm

if TYPE_CHECKING:
    from markupsafe import Markup

    from preceptor.evaluation.probes import Material

# verdict -> (sign, what it says). Signs and lines tell the marks apart, not colours.
MEANINGS = {
    INVENTED: ("?", "neither the document nor the reference says this"),
    OVERSTATED: ("≈", "only a possibility in the document"),
    "negation": ("✖", "the document or the reference says the opposite"),
    "side": ("✖", "the other side in the document or the reference"),
    "dose": ("✖", "another dose in the document or the reference"),
    "frequency": ("✖", "taken another number of times a day in the document or the reference"),
    "value": ("✖", "another value in the document or the reference"),
    "person": ("✖", "a relative's, not the patient's, or the other way round"),
}
OMITTED = ("○", "the answer does not say this")
_WORD = re.compile(r"\w+(?:[.'’-]\w+)*")
_Mark = tuple[int, int, str, str, str]  # start, end, class, sign, title


def marked_answer(document: str, reference: str, answer: str) -> Markup:
    """Return an answer as HTML: facts that are not supported in `<mark>`, words that the reference has not underlined."""
    judged = {j.fact.key: j for j in compare(document, reference, answer).hallucinated}
    marks = [  # every time that it is said
        (fact.start, fact.end, "contradicted" if j.contradicts else "invented", *MEANINGS[j.verdict])
        for fact in extract(answer).found
        if (j := judged.get(fact.key))
    ]
    return _html(answer, marks, _other_words(reference, answer))


def marked_reference(document: str, reference: str, answer: str) -> Markup:
    """Return a reference as HTML, with the facts that an answer lacks in `<mark>`."""
    omitted = {fact.key for fact in compare(document, reference, answer).omitted}
    marks = [(f.start, f.end, "omitted", *OMITTED) for f in extract(reference).found if f.key in omitted]
    return _html(reference, marks, [])


def _other_words(reference: str, answer: str) -> list[tuple[int, int]]:
    """Stretches of an answer whose words are not those of the reference at that place."""
    ours = list(_WORD.finditer(answer))
    theirs = [word.lower() for word in _WORD.findall(reference)]
    if not ours:
        return []
    steps = SequenceMatcher(None, theirs, [m[0].lower() for m in ours], autojunk=False).get_opcodes()
    return [
        (ours[first].start(), ours[last - 1].end())
        for kind, _, _, first, last in steps
        if kind in ("insert", "replace")
    ]


def _html(text: str, marks: Sequence[_Mark], other: Sequence[tuple[int, int]]) -> Markup:
    """Escape a text and put marks around parts of it; of two marks over one another the first and longer stays."""
    from markupsafe import Markup, escape

    kept: list[_Mark] = []
    for mark in sorted(marks, key=lambda m: (m[2] != "contradicted", m[0], -m[1])):
        if all(mark[1] <= m[0] or m[1] <= mark[0] for m in kept):
            kept.append(mark)
    bounds = sorted({0, len(text), *(e for m in kept for e in m[:2]), *(e for o in other for e in o)})
    parts: list[Any] = []
    for start, end in zip(bounds, bounds[1:], strict=False):
        piece: Any = escape(text[start:end])
        if any(a <= start and end <= b for a, b in other):
            piece = Markup('<span class="other">{}</span>').format(piece)
        around = next((m for m in kept if m[0] <= start and end <= m[1]), None)
        if around and start == around[0]:
            parts.append(
                Markup('<mark class="fact {}" title="{}"><b>{}</b> ').format(around[2], around[4], around[3])
            )
        parts.append(piece)
        if around and end == around[1]:
            parts.append(Markup("</mark>"))
    return Markup("").join(parts)


def listed(material: Material, cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the page says of each of the listed cases: its counts, and its facts in the words of the answer and the
    reference."""
    by_id = {
        p.case.example_id: p for p in material.by_arm[shown_arm(material.by_arm)] if is_written(p.case.task)
    }
    rows = []
    for counts in cases[:LISTED]:
        prediction = by_id[counts["case"]]
        case = prediction.case
        compared = compare(case.prompt, case.answer, prediction.answer)
        rows.append(
            {
                **counts,
                "task": case.task,
                "contradicted": [_said(prediction.answer, j) for j in compared.contradictions],
                "invented": [
                    _said(prediction.answer, j)
                    for j in compared.hallucinated
                    if j.verdict not in CONTRADICTIONS
                ],
                "missing": [
                    {"kind": f.kind, "text": _words(case.answer, f), "value": _value(f)}
                    for f in compared.omitted
                ],
            }
        )
    return rows


def _said(answer: str, judged: Judged) -> dict[str, str]:
    sign, meaning = MEANINGS[judged.verdict]
    fact = judged.fact
    return {
        "kind": fact.kind,
        "text": _words(answer, fact),
        "value": _value(fact),
        "sign": sign,
        "meaning": meaning,
    }


def _words(text: str, fact: Fact) -> str:
    return " ".join(text[fact.start : fact.end].split())


def _value(fact: Fact) -> str:
    """What must be said beside the words: a problem's status, what a dose is of, what a number measures."""
    return {"problem": fact.value, "dose": f"of {fact.name}", "number": fact.name}.get(fact.kind, "")
