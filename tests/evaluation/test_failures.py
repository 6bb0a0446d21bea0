"""Kinds of failure: each answer under its gravest fault, and the shares that lead synthesis."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.failures import NO_FAULT, failing_shares, failures, gravest
from preceptor.evaluation.metrics import score
from preceptor.evaluation.stage import Weaknesses, last_weaknesses
from preceptor.records import Example
from preceptor.settings import Workspace
from preceptor.synthesis.targets import ranked
from preceptor.versions import make_version

NOTE = "Summarise.\n\nShe takes metoprolol 50 mg daily for atrial fibrillation and denies chest pain."
CODES = "Assign the codes.\n\nSystolic heart failure with oedema. Essential hypertension since 2011."
LIST = "Name the likely diagnoses.\n\nFever, cough and consolidation of the right lower lobe."
REFERENCES = {
    NOTE: "Atrial fibrillation, on metoprolol 50 mg daily. Denies chest pain.",
    CODES: "I50.20: Systolic heart failure\nI10: Essential hypertension",
    LIST: "1. Pneumonia\n2. Pulmonary embolism",
}
TASKS = {NOTE: "summary", CODES: "coding_cardiology", LIST: "differential"}


def predicted(prompt, answer, number=1, arm="finetuned", finished=True, specialty="cardiology"):
    case = Example(
        example_id=f"e-{number}", task=TASKS[prompt], split="test", patient_ref=f"p-{number}", document_refs=(),
        specialty=specialty, prompt=prompt, answer=REFERENCES[prompt],
    )  # fmt: skip
    scores = score(case.task, prompt, case.answer, answer)
    return Prediction(case, arm, answer, 50, 20, finished, False, False, 0.1, scores)


def facts_of(rows, base=()):
    by_arm = {"base": list(base), "finetuned": rows} if base else {"finetuned": rows}
    return failures(SimpleNamespace(by_arm=by_arm))


@pytest.mark.parametrize(
    ("prompt", "answer", "fault"),
    [
        (NOTE, " ", "empty"),
        (NOTE, "She is well and " * 12, "goes in circles"),
        (NOTE, "Atrial fibrillation, on metoprolol 100 mg daily. Denies chest pain.", "contradicts the document"),
        (NOTE, "Atrial fibrillation, on metoprolol 50 mg daily. Denies chest pain. Has asthma.", "states what is not in the document"),
        (NOTE, "Seen today.", "leaves out most facts"),
        (NOTE, REFERENCES[NOTE], NO_FAULT),
        (CODES, "I50.20: Systolic heart failure\nQ99.99: Essential hypertension", "names a code that does not exist"),
        (CODES, "Nothing to code.", "no code"),
        (CODES, "J18.9: oedema", "other categories"),
        (CODES, "I50.9: Systolic heart failure\nI10: Essential hypertension", "right category, other code"),
        (CODES, f"{REFERENCES[CODES]}\nR60.9: oedema", "codes too many"),
        (CODES, "I10: Essential hypertension", "codes missed"),
        (CODES, "I50.20: diastolic dysfunction\nI10: Essential hypertension", "quotes what is not in the document"),
        (CODES, REFERENCES[CODES], NO_FAULT),
        (LIST, "1. Gout", "leading diagnosis missed"),
        (LIST, REFERENCES[LIST], NO_FAULT),
    ],
)  # fmt: skip
def test_the_gravest_fault_of_an_answer(prompt, answer, fault):
    assert gravest(predicted(prompt, answer)) == fault


def test_a_right_answer_that_was_cut_is_said_to_be_cut():
    assert gravest(predicted(NOTE, REFERENCES[NOTE], finished=False)) == "cut at the limit"


def test_every_answer_is_counted_once_and_beside_the_base_models():
    rows = [
        predicted(CODES, "J18.9: oedema", 1),
        predicted(CODES, "", 2),
        predicted(CODES, REFERENCES[CODES], 3),
        predicted(CODES, "J18.9: oedema", 4, specialty="orthopaedics"),
    ]
    base = [predicted(CODES, "", n, arm="base") for n in range(1, 4)]
    base.append(predicted(CODES, "Nothing to code.", 4, arm="base", specialty="orthopaedics"))
    facts = facts_of(rows, base)
    assert facts["arm"] == "finetuned" and facts["cases"] == 4 and facts["failing"] == 3
    told = {kind["fault"]: (kind["cases"], kind["base"], kind["worst"]) for kind in facts["kinds"]}
    assert told == {
        "empty": (1, 3, ["e-2"]),
        "no code": (0, 1, []),
        "other categories": (2, 0, ["e-1", "e-4"]),
        NO_FAULT: (1, 0, []),
    }
    assert [k["fault"] for k in facts["kinds"]] == ["empty", "no code", "other categories", NO_FAULT], (
        "the gravest first"
    )
    assert facts["cells"] == [
        {"task": "coding_cardiology", "specialty": "cardiology", "cases": 3, "failing": 2},
        {"task": "coding_cardiology", "specialty": "orthopaedics", "cases": 1, "failing": 1},
    ]
    assert "oedema" not in json.dumps(facts) and "hypertension" not in json.dumps(facts)


def test_shares_of_few_cases_lead_nothing():
    rows = [predicted(CODES, "", n) for n in range(3)] + [predicted(CODES, "", 4, specialty="orthopaedics")]
    assert failing_shares(facts_of(rows)) == {"coding_cardiology/cardiology": 1.0}


def test_synthesis_is_led_by_what_the_newest_evaluation_found(tmp_path):
    workspace = Workspace(tmp_path)
    assert last_weaknesses(workspace) == Weaknesses()
    rows = [predicted(CODES, "", n, specialty="orthopaedics") for n in range(3)]

    def write(folder):
        report = {
            "arms": {"finetuned": {"tasks": {"coding_cardiology": {"mean": 0.25}}}},
            "probes": {"failures": facts_of(rows)},
        }
        (folder / "report.json").write_text(json.dumps(report))
        return {}

    make_version(workspace.reports, "evaluation", inputs={}, config={}, code="1", write=write)
    weak = last_weaknesses(workspace)
    assert weak == Weaknesses({"coding_cardiology": 0.25}, {"coding_cardiology/orthopaedics": 1.0})
    train = [predicted(CODES, "", n, specialty=s).case for n, s in ((1, "cardiology"), (2, "orthopaedics"))]
    train.append(predicted(NOTE, "", 3).case)
    order = [e.example_id for e in ranked(train, {}, {}, weak.scores, weak.failing)]
    assert order == ["e-2", "e-3", "e-1"], (
        "the weak use case, of it the specialty that fails; then the others in turn"
    )
    assert [e.example_id for e in ranked(train, {}, {}, {}, {})][0] == "e-3", (
        "by themselves the smallest use case"
    )
