"""Facts gathered from a registry, a record and a home, and the command that writes the papers."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from preceptor.errors import UsageError
from preceptor.papers.bundle import folder_of
from preceptor.papers.facts import gather
from preceptor.release import promotion, signatures, users
from preceptor.release.candidates import submit
from preceptor.release.registry import tracking_of
from preceptor.release.store import open_store
from preceptor.serving.traffic import Feedback, Served, TrafficLog
from preceptor.settings import Settings, Workspace
from tests.release.conftest import PASSED, PASSWORD, VALIDITY

from .conftest import CANARY, EVALUATION, bundle


@pytest.fixture(scope="module")
def home(workspace, tmp_path_factory) -> Workspace:
    """Version 1 is champion; version 2 was approved, and answered in production."""
    ours = Workspace(tmp_path_factory.mktemp("home"))
    for folder in ("data", "models", "reports"):
        shutil.copytree(workspace.home / folder, ours.home / folder)
    ours.mlflow.mkdir()
    tracking, store = tracking_of(ours), open_store(ours)
    users.add(store, "ana", "approver", PASSWORD, actor="test", printed_name="Dr Ana Approver")
    for number, rate in enumerate((0.0004, 0.0008), start=1):
        weights = ours.home / f"weights-{number}"
        weights.mkdir()
        (weights / "adapter.bin").write_text(str(number))
        recipe = {
            "recipe": {"optimizer": {"learning_rate": rate}, "seed": 20, "sampling": {"population": False}}
        }
        made = bundle(recipe=recipe)
        made.pop("gate")
        ref = submit(tracking, store, "preceptor", None, weights, made, PASSED, actor="test").ref
        signatures.approve(tracking, store, ref, as_user="ana", password=PASSWORD, reason=CANARY)
        if number == 1:
            promotion.promote(tracking, store, ref, required=1, validity=VALIDITY, actor="test")
    store.close()
    log = TrafficLog(ours.serving / "traffic")
    for n, version in enumerate(("preceptor/2", "preceptor/2", "preceptor/1")):
        log.add(
            Served(f"r{n}", f"2026-11-2{n}T10:00:00+00:00", "chat", "served", "", version, "champion", "", 200, "stop", False,
                   "summary", "other", "other", "en", "other", "other", 9, 9, 9, 9, 0, 0.1, 0.2, 1.0 + n, abstained=False, leak_hits=n)
        )  # fmt: skip
    log.add_feedback(Feedback("r0", "2026-11-20T11:00:00+00:00", "preceptor/2", 4, 0.75))
    log.close()
    return ours


@pytest.fixture(scope="module")
def facts(home):
    store = open_store(home)
    yield gather(home, Settings(), tracking_of(home), store, "preceptor/2")
    store.close()


def test_decisions_are_gathered_without_their_reasons(facts):
    approved = next(each for each in facts.decisions if each["what"] == "approved")
    assert (approved["by"], approved["role"], approved["signed"], approved["counts"]) == (
        "Dr Ana Approver",
        "approver",
        True,
        True,
    )
    assert facts.status == "approved" and CANARY not in repr(facts)


def test_the_champion_before_is_the_one_in_use(facts):
    assert facts.before["ref"] == "preceptor/1"
    assert facts.before["bundle"]["recipe"]["recipe"]["optimizer"]["learning_rate"] == 0.0004
    assert "note" not in facts.bundle and "evaluation" not in facts.before["bundle"]


def test_after_promotion_it_is_still_the_one_that_it_took_the_place_of(home, facts):
    store = open_store(home)
    try:
        promotion.promote(
            tracking_of(home), store, "preceptor/2", required=1, validity=VALIDITY, actor="test"
        )
        now = gather(home, Settings(), tracking_of(home), store, "preceptor@champion")
        first = gather(home, Settings(), tracking_of(home), store, "preceptor/1")
        assert (now.ref, now.before, first.before) == ("preceptor/2", facts.before, None)
        assert now.digest_of_facts != facts.digest_of_facts
        again = gather(home, Settings(), tracking_of(home), store, "preceptor/2")
        assert again.digest_of_facts == now.digest_of_facts
        with pytest.raises(UsageError, match="no model version"):
            gather(home, Settings(), tracking_of(home), store, "preceptor/7")
    finally:
        store.close()


def test_production_counts_this_version_only(facts):
    traffic, feedback = facts.production["traffic"], facts.production["feedback"]
    assert (traffic["answers"], traffic["outcomes"], traffic["leak_hits"], traffic["median_seconds"]) == (
        2,
        {"stop": 2},
        1,
        1.5,
    )
    assert feedback == {"entries": 1, "ratings": 1, "mean_rating": 4, "kept": 1, "mean_kept": 0.75}


def test_the_command_writes_them_where_the_review_app_looks(home):
    from preceptor.cli import root

    done = CliRunner().invoke(root, ["--home", str(home.home), "release", "papers", "preceptor/1", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["path"] == str(folder_of(home, "preceptor/1")) and "change-record.pdf" in said["files"]
    assert CANARY not in (folder_of(home, "preceptor/1") / "facts.json").read_text()
    assert EVALUATION in (folder_of(home, "preceptor/1") / "model-card.html").read_text()
