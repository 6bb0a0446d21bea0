"""Surrogates and masks as Presidio operators: loaded by its own engine, and what our engine calls directly."""

from __future__ import annotations

import pytest
from presidio_anonymizer import AnonymizerEngine, OperatorConfig
from presidio_anonymizer.entities import RecognizerResult

from preceptor.deid.engine import Deidentifier, _apply
from preceptor.deid.operators import MaskTypeOperator, SurrogateOperator, type_of
from preceptor.deid.surrogates import Surrogates
from preceptor.deid.types import TYPES
from preceptor.errors import UsageError
from preceptor.records import Span
from preceptor.settings import DeidSettings

KEY = bytes(range(32))
TEXT = "Wilhelmina Hathaway, MRN QZ-778812, born 11/05/1930, aged 92, was seen on 01/28/2024 in MN."
SPANS = [
    Span(TEXT.index(value), TEXT.index(value) + len(value), kind)
    for kind, value in [
        ("PATIENT", "Wilhelmina Hathaway"), ("MRN", "QZ-778812"), ("DATE", "11/05/1930"), ("AGE", "92"),
        ("DATE", "01/28/2024"), ("STATE", "MN"),
    ]
]  # fmt: skip


@pytest.fixture
def presidio():
    engine = AnonymizerEngine()
    engine.add_anonymizer(SurrogateOperator)
    engine.add_anonymizer(MaskTypeOperator)
    return engine


def results(spans=SPANS):
    return [RecognizerResult(s.type, s.start, s.end, 1.0) for s in spans]


def test_presidio_loads_the_operators_as_their_docs_say(presidio):
    given = {"DEFAULT": OperatorConfig("surrogate", {"key": KEY, "patient": "17"})}
    new = presidio.anonymize(TEXT, results(), given).text
    assert new == presidio.anonymize(TEXT, results(), given).text
    assert "Hathaway" not in new
    assert "778812" not in new
    assert "01/28/2024" not in new
    assert "aged 90+" in new
    assert new.endswith(" in MN.")
    other = {"DEFAULT": OperatorConfig("surrogate", {"key": KEY, "patient": "18"})}
    assert new != presidio.anonymize(TEXT, results(), other).text


def test_presidio_and_our_engine_give_the_same(presidio):
    values = [(s.type, TEXT[s.start : s.end]) for s in SPANS]
    shared = {"surrogates": Surrogates(KEY, "17", None, values)}
    ours = _apply(TEXT, SPANS, shared["surrogates"].replace).text
    theirs = presidio.anonymize(TEXT, results(), {"DEFAULT": OperatorConfig("surrogate", shared)}).text
    assert ours == theirs


def test_presidios_own_entities_are_understood(presidio):
    text = "Jan Doe, 471-22-8806, 2024-01-28, jan@mail.org, 512-448-9021"
    pieces = text.split(", ")
    kinds = ["PERSON", "US_SSN", "DATE_TIME", "EMAIL_ADDRESS", "PHONE_NUMBER"]
    found = [
        RecognizerResult(k, text.index(p), text.index(p) + len(p), 1.0)
        for k, p in zip(kinds, pieces, strict=True)
    ]
    given = {"DEFAULT": OperatorConfig("surrogate", {"key": KEY, "patient": "17", "policy": "safe_harbor"})}
    name, ssn, date, mail, phone = presidio.anonymize(text, found, given).text.split(", ")
    assert len(name.split()) == 2
    assert ssn[0] == "9"
    assert date == "2024"
    assert "@example." in mail
    assert "555-01" in phone
    assert not {name, ssn, date, mail, phone} & set(pieces)


@pytest.mark.parametrize(
    ("entity", "kind"),
    [
        ("PERSON", "PATIENT"),
        ("DATE_TIME", "DATE"),
        ("US_NPI", "LICENSE"),
        ("CRYPTO", "IDNUM"),
        ("MRN", "MRN"),
    ],
)
def test_the_type_of_an_entity(entity, kind):
    assert type_of(entity) == kind


def test_every_type_of_ours_is_its_own():
    assert {type_of(t) for t in TYPES} == TYPES


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "`key` and `patient`"),
        ({"key": KEY}, "`key` and `patient`"),
        ({"key": b"short", "patient": "17"}, "16 bytes"),
        ({"key": "a string of 20 letters", "patient": "17"}, "16 bytes"),
        ({"key": KEY, "patient": "17", "policy": "none"}, "safe_harbor"),
    ],
)
def test_a_wrong_parameter_is_told(presidio, given, says):
    with pytest.raises(UsageError, match=says):
        presidio.anonymize(TEXT, results(), {"DEFAULT": OperatorConfig("surrogate", given)})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("shifted", "[PATIENT], MRN [MRN], born [DATE], aged 90+, was seen on [DATE] in MN."),
        ("limited_dataset", "[PATIENT], MRN [MRN], born 11/05/1930, aged 92, was seen on 01/28/2024 in MN."),
    ],
)
def test_masks(presidio, policy, expected):
    given = {"DEFAULT": OperatorConfig("mask_type", {"policy": policy})}
    assert presidio.anonymize(TEXT, results(), given).text == expected


def test_a_mask_hides_a_year_that_tells_an_age_over_89():
    operator = MaskTypeOperator()
    given = {"entity_type": "YEAR", "first_year": 1937}
    assert operator.operate("1930", given) == "[YEAR]"
    assert operator.operate("1998", given) == "1998"


def test_positions_are_those_of_the_new_text():
    values = [(s.type, TEXT[s.start : s.end]) for s in SPANS]
    s = Surrogates(KEY, "17", None, values)
    out = _apply(TEXT, SPANS, s.replace)
    assert [out.text[c:d] for _, _, c, d in out.moves] == [s.replace(k, v) for k, v in values]
    assert [(a, b) for a, b, _, _ in out.moves] == [(x.start, x.end) for x in SPANS]
    assert out.text[out.position(TEXT.index("was seen")) :].startswith("was seen")


def test_neighbours_of_one_type_stay_two(monkeypatch):
    engine = Deidentifier(DeidSettings(mode="mask"), KEY)
    monkeypatch.setattr(
        engine, "patient_spans", lambda texts, record: [[Span(0, 3, "DATE"), Span(4, 7, "DATE")]]
    )
    out = engine.scrub_patient("17", ["3/1 3/2 ok"], None)[0]
    assert out.text == "[DATE] [DATE] ok"
    assert out.moves == ((0, 3, 0, 6), (4, 7, 7, 13))
