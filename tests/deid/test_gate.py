"""The gate may open for nothing, but it never stays shut before a rule that matches."""

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
def test_every_rule_that_matches_passes_the_gate(way):
    from random import Random

    gate = Gate(RULES)
    shut = set()
    for note in annotated_notes()[::4]:
        text = "".join(p.text for p in way(note.pieces, Random(3))) if way else note.text
        passed = {id(r) for r in gate.open_for(text)}
        shut |= {r.name for r in RULES if r.pattern.search(text) and id(r) not in passed}
    assert shut == set()


def test_rules_that_cannot_match_are_left_out():
    gate = Gate(RULES)
    assert len(gate.open_for("No acute distress.")) < len(RULES) / 3


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
    assert re2.search(relaxed(regex.compile(pattern)), text)


def test_the_order_of_rules_is_kept():
    rules = [rule("a", "IDNUM", "b"), rule("c", "IDNUM", "a")]
    assert [r.name for r in Gate(rules).open_for("ab")] == ["a", "c"]
