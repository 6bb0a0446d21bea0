"""Drugs, doses, numbers and sides: what stands in the text, in one form."""

from __future__ import annotations

import bz2
import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.evaluation.clinical import lexicon
from preceptor.evaluation.clinical.extract import KINDS, extract
from preceptor.evaluation.clinical.medication import often
from preceptor.evaluation.clinical.quantities import quantities
from preceptor.evaluation.clinical.tokens import tokenise


def found(kind: str, text: str) -> list[tuple[str, str]]:
    return [(f.name, f.value) for f in extract(text).found if f.kind == kind]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1,800 mg", 1800, "mg"),
        ("0.5 mcg", 0.5, "mcg"),
        ("twenty-six weeks", 26, "week"),
        ("one hundred and five", 105, ""),
        ("one sixty", 160, ""),
        ("two thousand nine", 2009, ""),
        ("ninety eight point six", 98.6, ""),
        ("a couple of days", 2, "day"),
        ("five 3", 5, ""),
    ],
)
def test_numbers_are_read_in_digits_and_in_words(text, value, unit):
    first = quantities(tokenise(text))[0]
    assert (first.value, first.unit) == (value, unit)


def test_an_article_is_a_number_only_where_it_counts():
    assert found("number", "The cough began about a week ago.") == [("", "1 week")]
    assert found("number", "He walks twice a day.") == []


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("twice daily", 2), ("b.i.d.", 2), ("TID", 3), ("four times a day", 4), ("q6h", 4), ("every eight hours", 3),
        ("every other day", 0.5), ("at bedtime", 1), ("qhs", 1), ("weekly", 1 / 7), ("as needed", None), ("bidding", None),
    ],
)  # fmt: skip
def test_frequencies_are_times_a_day(text, times):
    assert often(text) == pytest.approx(times) if times is not None else often(text) is None


@pytest.mark.parametrize(
    ("text", "doses"),
    [
        ("Lisinopril 20 mg daily and 81 mg of aspirin", [("lisinopril", "20 mg"), ("aspirin", "81 mg")]),
        (
            "two 500 milligram tablets of Tylenol",
            [],
        ),  # the amount stands too far before the drug: missed, not guessed
        ("Tylenol, two 500 milligram tablets", [("acetaminophen", "500 mg")]),
        ("ceftriaxone 1 g IV", [("ceftriaxone", "1000 mg")]),
        ("levothyroxine 75 mcg", [("levothyroxine", "0.075 mg")]),
        ("metformin from 500 mg to 1000 mg", [("metformin", "500 mg"), ("metformin", "1000 mg")]),
        ("albuterol 2 puffs", [("albuterol", "2 puff")]),
        ("Warfarin. He lost 5 kg.", []),
    ],
)
def test_a_dose_belongs_to_its_drug(text, doses):
    assert found("dose", text) == doses


def test_brands_are_their_substance():
    assert found("drug", "Coumadin, Lasix and Zoloft") == [
        ("warfarin", ""),
        ("furosemide", ""),
        ("sertraline", ""),
    ]


def test_a_dose_keeps_frequency_and_route():
    dose = next(f for f in extract("furosemide 40 mg po bid").found if f.kind == "dose")
    assert (dose.often, dose.route) == (2.0, "oral")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BP 148/92, HR 104", [("blood pressure", "148/92"), ("heart rate", "104")]),
        ("blood pressure was 148 over 92", [("blood pressure", "148/92")]),
        ("Hgb 9.8 g/dL and A1c of 8.2%", [("hemoglobin", "9.8"), ("hemoglobin a1c", "8.2")]),
        ("PHQ-9 score was 17", [("phq-9", "17")]),
        ("a 71-year-old man", [("age", "71 year")]),
        ("fever of 102 F", [("temperature", "102")]),
        ("pain 7/10", [("pain score", "7/10")]),
        ("seen on 1/5/93", []),
        ("bradycardia at 48 beats per minute", [("heart rate", "48")]),
        ("every 6 hours", []),
    ],
)
def test_measures_have_their_name(text, expected):
    assert found("number", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left knee pain", [("knee", "left")]),
        ("pain in the right hip", [("hip", "right")]),
        ("edema in both ankles", [("ankle", "bilateral")]),
        ("Lungs clear bilaterally without wheezes", [("lung", "bilateral")]),
        ("R shoulder", [("shoulder", "right")]),
        ("left pleural effusion", [("pleural effusion", "left")]),
        ("left ventricular hypertrophy", []),
        ("She left the clinic with back pain.", []),
        ("All right, the knee is fine.", []),
        ("I'll be right back.", []),
    ],
)
def test_sides_are_of_a_part_of_the_body(text, expected):
    assert found("side", text) == expected


@pytest.mark.parametrize(
    "text",
    ["The fall of the leaves: incision and drainage", "He said it was hard", "flu shot", "pain medication"],
)
def test_words_that_look_like_problems_are_none(text):
    assert [p for p in found("problem", text) if p[0] != "falls"] == []


def test_a_finding_is_joined_with_its_site_in_either_order():
    sites = [next(f.site for f in extract(t).found if f.kind == "problem") for t in ("knee pain", "pain in my left knee", "my knee hurts")]  # fmt: skip
    assert sites == ["knee"] * 3


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("abno 0123456789/.,:;-?\n'%()é") | st.characters(), max_size=120))
def test_any_text_is_read_and_facts_stand_in_it(text):
    for fact in extract(text).found:
        assert fact.kind in KINDS
        assert 0 <= fact.start < fact.end <= len(text)


def test_an_answer_takes_milliseconds():
    text = "Right knee pain for 3 weeks. Denies fever. Metformin 500 mg twice daily. BP 148/92. " * 4
    extract("warm: cough")
    started = time.perf_counter()
    for number in range(20):
        extract(f"{text}{number}")
    assert (time.perf_counter() - started) / 20 < 0.05  # about 2 ms here


def test_a_word_list_that_would_run_code_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "listed_words"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "words.bz2").write_bytes(bz2.compress(pickle.dumps({"a": print})))
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(pickle.UnpicklingError, match="builtins.print"):
        lexicon._table("listed_words", "words.bz2")
