"""Facts against document and reference: cases decided by hand."""

from __future__ import annotations

import pytest

from preceptor.evaluation.clinical.compare import SUPPORTED, compare
from preceptor.evaluation.clinical.scores import score_text
from preceptor.evaluation.clinical.sections import headings, length_ratio, order

DOCUMENT = (
    "Right knee pain for 3 weeks. Denies fever. Metformin 500 mg twice daily. BP 148/92, HR 88. Her mother had gout. "
    "Possible pneumonia. If vomiting starts, call."
)


def verdicts(answer: str, document: str = DOCUMENT, reference: str = "") -> list[tuple[str, str]]:
    return [(j.fact.kind, j.verdict) for j in compare(document, reference, answer).judged]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Knee pain on the right side.", "supported"),
        ("No fever.", "supported"),
        ("She has a fever.", "negation"),
        ("Denies knee pain.", "negation"),
        ("No pain.", "negation"),
        ("Chest pain.", "invented"),
        ("Headache.", "invented"),
        ("Denies headache.", "invented"),
        ("She has gout.", "person"),
        ("Pneumonia.", "overstated"),
        ("Possible pneumonia.", "supported"),
        ("Vomiting.", "supported"),  # spoken of as a possibility: not held against the answer
    ],
)
def test_problems(answer, expected):
    assert [v for kind, v in verdicts(answer) if kind == "problem"] == [expected]


@pytest.mark.parametrize(
    ("answer", "kind", "expected"),
    [
        ("left knee", "side", "side"),
        ("right knee", "side", "supported"),
        ("both knees", "side", "side"),
        ("left hip", "side", "invented"),
        ("metformin 1000 mg", "dose", "dose"),
        ("metformin 0.5 g bid", "dose", "supported"),
        ("metformin 500 mg daily", "dose", "frequency"),
        ("warfarin 5 mg", "dose", "invented"),
        ("warfarin", "drug", "invented"),
        ("Glucophage", "drug", "supported"),
        ("BP 148/92", "number", "supported"),
        ("BP 184/92", "number", "value"),
        ("HR 92", "number", "value"),  # the number stands there, but of something else
        ("A1c 8.2", "number", "invented"),
        ("for 21 days", "number", "supported"),
        ("for 5 weeks", "number", "invented"),
    ],
)
def test_drugs_doses_numbers_and_sides(answer, kind, expected):
    assert [v for k, v in verdicts(answer) if k == kind] == [expected]


def test_a_warning_does_not_support_what_is_denied():
    assert verdicts("She has a fever.", document="Denies fever. Call if fever starts.") == [
        ("problem", "negation")
    ]


def test_a_number_elsewhere_supports_a_dose_in_speech_alone():
    spoken = "Doctor: Lisinopril 20 mg?\nPatient: No, they said 40.\nDoctor: Fine."
    assert verdicts("Lisinopril 40 mg", document=spoken) == [("drug", SUPPORTED), ("dose", SUPPORTED)]
    written = "Lisinopril 20 mg. Ward 40."
    assert verdicts("Lisinopril 40 mg", document=written) == [("drug", SUPPORTED), ("dose", "dose")]


def test_what_the_reference_has_is_supported_though_the_document_lacks_it():
    assert verdicts("Headache.", reference="Headache.") == [("problem", SUPPORTED)]


def test_fahrenheit_and_celsius_are_one_temperature():
    assert verdicts("Temp 38.3 C", document="Temperature 101 F") == [("number", SUPPORTED)]
    assert verdicts("Temp 39.3 C", document="Temperature 101 F") == [("number", "value")]


def test_omitted_facts_are_those_of_the_reference_that_the_answer_lacks():
    found = compare("", "Cough and fever. Aspirin 81 mg daily.", "Cough. Aspirin.")
    assert [(f.kind, f.name) for f in found.omitted] == [("problem", "fever"), ("dose", "aspirin")]
    assert found.wanted == 4 and found.recall == 0.5 and found.precision == 1.0


def test_a_repeated_fact_counts_once():
    assert len(compare("", "Cough.", "Cough. Coughing.").judged) == 1


def test_nothing_stated_has_no_precision_and_nothing_wanted_no_recall():
    scores = score_text("", "", "")
    assert scores["fact_precision"] is None and scores["fact_recall"] is None


def test_a_reference_is_wholly_supported_by_itself():
    found = compare("", DOCUMENT, DOCUMENT)
    assert found.precision == 1.0 and found.recall == 1.0 and found.judged


def test_speech_holds_nobody_elses_illness_against_the_patient():
    spoken = "Doctor: Gout?\nPatient: My mother had gout.\nDoctor: I see."
    assert verdicts("She has gout.", document=spoken) == [("problem", SUPPORTED)]


def test_headings_are_lines_with_a_colon_or_in_markdown():
    text = "**Plan:** rest\n## History of illness\nNo fever\nPlan: more\nBP 120/80: fine"
    assert headings(text) == ["plan", "history of illness"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Data: a\nAssessment: b\nPlan: c", 1.0),
        ("Plan: c\nData: a\nAssessment: b", 2 / 3),
        ("Plan: c\nAssessment: b\nData: a", 1 / 3),
        ("Plan: c", None),
        ("Data: a\nOther: b\nPlan: c", 1.0),
    ],
)
def test_section_order_is_the_longest_run_in_order(answer, expected):
    assert order("Data: x\nAssessment: y\nPlan: z", answer) == (pytest.approx(expected) if expected else None)


def test_length_ratio_is_one_for_equal_lengths_and_falls_both_ways():
    assert length_ratio("a b", "c d") == 1.0
    assert length_ratio("a b c d", "c d") == length_ratio("a b", "c d e f") == 0.5
    assert length_ratio("", "") == 1.0
