"""Values in a text: any case, any blanks and separators, nothing that goes on before or after."""

from __future__ import annotations

import pytest

from preceptor.deid.searching import Searchable, unseparated


def found(text, places):
    return [text[start:end] for start, end in places]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at CALLOWAY\n  freight today", ["CALLOWAY\n  freight"]),
        ("Calloway Freight, calloway freight", ["Calloway Freight", "calloway freight"]),
        ("Calloway Freights or MCalloway Freight", []),
        ("Calloway-Freight", []),
        ("Calloway\u00a0Freight", ["Calloway\u00a0Freight"]),
        ("İİ Calloway Freight", ["Calloway Freight"]),  # a letter that is two in small letters
        ("", []),
    ],
)
def test_a_phrase(text, expected):
    assert found(text, Searchable(text).phrases(["Calloway", "FREIGHT"])) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zq4471 and ZQ 44-71.", ["zq4471", "ZQ 44-71"]),
        ("ZQ-4 / 471", ["ZQ-4 / 471"]),
        ("ZQ-4 ( / 471", []),  # too far apart
        ("XZQ4471, ZQ44715", []),
        ("ZQ4471", ["ZQ4471"]),
    ],
)
def test_a_number(text, expected):
    assert found(text, Searchable(text).numbers(unseparated("ZQ-4471"))) == expected
