from __future__ import annotations

from preceptor.release import signatures
from preceptor.release.card import card_of

from .conftest import PASSWORD


def test_the_card_says_what_was_measured_decided_and_made_from(make_version, tracking, store):
    info = make_version("a")
    event = signatures.approve(
        tracking, store, info.ref, as_user="ana", password=PASSWORD, reason="reads well"
    )
    text = card_of(tracking, store, info.ref, 1)
    for fact in (
        info.digest,
        info.run_id,
        "Status: approved",
        "Data set: curated: `aaaaaaaaaaaa-11111111`",
        "Held-out cases: 12",
        "| base | 0.100 | 0.050 to 0.150 |",
        "| finetuned vs base | +0.200 | +0.100 to +0.300 |",
        "- summary: +0.200",
        "met: 12 test cases, at least 10 needed",
        f"approved by ana (approver) on {event.at}",
        "so no difference is shown: finetuned vs rag",
        "is synthetic",
    ):
        assert fact in text, fact


def test_what_nobody_measured_is_not_made_up(make_version, tracking, store):
    text = card_of(tracking, store, make_version("a", evaluation={"version": "e"}).ref, 1)
    assert "Held-out cases: not recorded" in text
    assert "Scores: not recorded" in text
    assert "nobody yet" in text
