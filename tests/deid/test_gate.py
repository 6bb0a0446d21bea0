"""The gate finds what the rules find, everywhere and in their order."""

from __future__ import annotations

import pytest
import regex

from preceptor.deid.detection import name_recognizers, pattern_recognizers
from preceptor.deid.recognizers.gate import Gate, relaxed
from preceptor.deid.recognizers.rule import RuleRecognizer, rule
from preceptor.deid.tagger.disturb import capitals, lower_case, scanned
from preceptor.deid.tagger.notes import annotated_notes

RULES = [
    rule
    for recognizer in (*pattern_recognizers(), *name_recognizers())
    if isinstance(recognizer, RuleRecognizer)
    for rule in recognizer.RULES
]


@pytest.mark.parametrize("way", [None, capitals, lower_case, scanned])
def test_the_gate_finds_what_the_rules_find(way):
    from random import Random

    gate = Gate(RULES)
    for note in annotated_notes()[::4]:
        text = "".join(p.text for p in way(note.pieces, Random(3))) if way else note.text
        found = list(gate.places(text))
        assert [(r.name, a, b) for r, a, b in found] == [(r.name, *p) for r in RULES for p in r.places(text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Żółć 4/5",
        "née 12/03/2021 – seen 12/04/2021",
        "\ud800 12/03/2021",
        "🙂🙂 12/03/2021 🙂 12/04/2021",
    ],
)
def test_places_count_characters_not_bytes(text):
    slashed = rule("slashed", "DATE", r"(?<!\d)(?P<v>\d\d/\d\d)/\d{4}\b")
    assert [p for _, *p in Gate([slashed]).places(text)] == [list(p) for p in slashed.places(text)]


def test_a_match_that_the_check_refuses_is_passed_over_whole():
    # As finditer does: the second "aa" begins inside the first match.
    refusing = rule("a", "IDNUM", "aa", check=lambda match: match.start() > 0)
    assert [p for _, *p in Gate([refusing]).places("aaaa")] == [[2, 4]]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?<!\w)quill(?!s)", "quill"),
        (r"\bDr\.? (?P<v>\p{Lu}\p{L}+)", "Dr Żuławski"),
        (r"(?P<d>[-/])\d{2}(?P=d)", "/12/"),
        (r"[^\W\d_]{3,5}?\s{2}", "abc  "),
        (r"a(?=b(?:c|[)]))b", "ab)"),
    ],
)
def test_what_re2_lacks_is_relaxed(pattern, text):
    import re2

    assert regex.search(pattern, text) or "(?=" in pattern
    assert re2.search(relaxed(pattern, 0), text)


def test_the_order_of_rules_is_kept():
    rules = [rule("a", "IDNUM", "b"), rule("c", "IDNUM", "a")]
    assert [r.name for r, _, _ in Gate(rules).places("ab")] == ["a", "c"]
