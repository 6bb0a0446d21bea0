"""What the answers to smoke prompts must be; tests/serving/test_smoke.py asks real models."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.errors import GateRefused, UsageError
from preceptor.release.smoke import Prompt, Reply, Suite, judged, read_suite
from preceptor.settings import ReleaseSettings

SUITE = Suite(
    prompts=(Prompt(id="one", prompt="?"),),
    evaluated_cases=4,
    max_new_tokens=8,
    same_tokens=4,
    agree=0.75,
    seconds=5,
)
GOOD = Reply("one", "Mrs Quackenbush coughs", whole=False, empty=False, finite=True, seconds=1.0)
SAME = replace(GOOD, id="case-1", expected="Mrs Quackenbush coughs at night.")
OTHER = replace(SAME, id="case-2", expected="Another answer.")


def test_what_held_is_told_in_numbers_and_ids():
    assert judged("m/1", SUITE, [GOOD, SAME, SAME, SAME, OTHER]) == {
        "asked": 5,
        "compared": 4,
        "differing": ["case-2"],
        "slowest_seconds": 1.0,
    }


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (replace(GOOD, finite=False), "one: not-finite"),
        (replace(GOOD, empty=True), "one: empty"),
        (replace(GOOD, seconds=5.1), "one: slow"),
        (OTHER, "case-2: differs"),
        (replace(SAME, empty=True), "case-1: empty"),
        (replace(OTHER, finite=False), "case-2: not-finite"),
        (replace(SAME, whole=True), "case-1: differs"),  # it went on when it was evaluated
    ],
)
def test_what_did_not_hold_is_named_without_its_text(reply, said):
    with pytest.raises(GateRefused) as refusal:
        judged("m/1", SUITE, [GOOD, reply])
    told = str(refusal.value)
    assert f"(rule smoke-failed: {said})" in told and "Nothing was changed" in told
    assert "Quackenbush" not in told and "Another" not in told


def test_nothing_is_the_right_answer_where_nothing_was_evaluated():
    nothing = replace(GOOD, id="case-3", begins="", whole=True, empty=True, expected="")
    assert judged("m/1", SUITE, [GOOD, nothing])["differing"] == []


def test_a_cut_through_a_letter_is_no_difference():
    cut = replace(GOOD, id="case-4", begins="Gr\ufffd", expected="Größe 1,72 m")
    assert judged("m/1", SUITE, [cut])["differing"] == []


@given(st.integers(0, 8), st.integers(0, 8), st.floats(0.01, 1))
def test_the_share_that_must_agree_is_a_least_one(same, other, agree):
    replies = [GOOD, *[SAME] * same, *[OTHER] * other]
    suite = SUITE.model_copy(update={"agree": agree})
    if same >= agree * (same + other):
        assert judged("m/1", suite, replies)["compared"] == same + other
    else:
        with pytest.raises(GateRefused, match="differs"):
            judged("m/1", suite, replies)


def test_the_suite_that_ships_is_whole_and_one_that_is_not_is_named(tmp_path):
    assert len(read_suite(ReleaseSettings().smoke_prompts).prompts) == 3
    assert read_suite("") is None
    wrong = tmp_path / "prompts.yaml"
    wrong.write_text(
        "prompts: [{id: a, prompt: b}]\nagree: 0.5\nsame_tokens: 9\nmax_new_tokens: 8\nseconds: x\n"
    )
    with pytest.raises(UsageError, match="line 5: seconds"):
        read_suite(str(wrong))


def test_an_address_of_a_server_holds_no_password():
    assert ReleaseSettings(verify_serving=("http://10.0.0.5:8080",)).on_unserved == "tell"
    for url in ("10.0.0.5:8080", "http://user:secret@host", "file:///etc/passwd", "http://host/?key=1"):
        with pytest.raises(ValueError, match="http://HOST:PORT"):
            ReleaseSettings(verify_serving=(url,))
