"""Use cases that a hospital declares."""

import pytest

from preceptor.curation.tasks import Shelf, derive, load_use_cases
from preceptor.errors import UsageError
from preceptor.records import DeidentifiedDocument, Labels

REPORT = "TECHNIQUE: CT.\nFINDINGS: Clot in the left lower lobe.\nIMPRESSION: Pulmonary embolism.\nSIGNED: x"


def document(ref, text, note_type="radiology report", encounter=None, **labels):
    return DeidentifiedDocument(
        ref, "p-1", "b1", note_type, "radiology", encounter, "text", text, Labels(**labels)
    )


def declared(tmp_path, what):
    (tmp_path / "own.yaml").write_text(
        f"task: own\ntitle: Own\nkind: declared\ninstruction: Write the {{note_type}}.\n{what}"
    )
    return load_use_cases(("own",), (tmp_path,))[0]


def drafts(case, *documents):
    return [(d.source, d.answer, d.document_refs) for d in derive(case, Shelf(documents))]


def test_a_section_of_the_same_document_is_not_shown_with_the_question(tmp_path):
    case = declared(tmp_path, "input: {note_types: [Radiology Report]}\nreference: {sections: [impression]}")
    ((source, answer, refs),) = drafts(case, document("d-1", REPORT), document("d-2", REPORT, "letter"))
    assert (answer, refs) == ("Pulmonary embolism.", ("d-1",))
    assert "embolism" not in source
    assert "left lower lobe" in source
    assert "SIGNED" in source


def test_one_section_asks_for_another(tmp_path):
    case = declared(
        tmp_path, "input: {sections: [findings]}\nreference: {sections: [conclusion, impression]}"
    )
    assert drafts(case, document("d-1", REPORT)) == [
        ("Clot in the left lower lobe.", "Pulmonary embolism.", ("d-1",))
    ]
    assert drafts(case, document("d-1", "FINDINGS: none.")) == []


def test_a_document_asks_for_another_of_the_encounter_if_it_is_the_only_one(tmp_path):
    case = declared(
        tmp_path, "input: {note_types: [hospital course]}\nreference: {note_types: [discharge summary]}"
    )
    course = document("d-1", "Day 1.", "hospital course", "e-1")
    summary = document("d-2", "Went home.", "discharge summary", "e-1")
    other = document("d-3", "Went home, too.", "discharge summary", "e-1")
    assert drafts(case, course, summary) == [("Day 1.", "Went home.", ("d-1", "d-2"))]
    assert drafts(case, course, summary, other) == []


def test_a_label_is_the_reference(tmp_path):
    case = declared(tmp_path, "input: {}\nreference: {label: summary}")
    labelled = document("d-1", "Long story.", reference_summary="Short.")
    assert drafts(case, labelled, document("d-2", "No label.")) == [("Long story.", "Short.", ("d-1",))]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("input: {}", "needs input and reference"),
        ("input: {label: codes}\nreference: {label: codes}", "not a label"),
        ("input: {}\nreference: {sections: [plan]}\nextra: 1", "own.yaml, line 7"),
    ],
)
def test_a_wrong_declaration_is_refused_by_name(tmp_path, what, said):
    with pytest.raises(UsageError, match=said):
        declared(tmp_path, what)


def test_an_unknown_use_case_names_those_there_are(tmp_path):
    with pytest.raises(UsageError, match="bh_note"):
        load_use_cases(("nothing",))
