from __future__ import annotations

import dataclasses
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from urllib.parse import urlparse

import pytest

from preceptor.errors import GateRefused, UsageError
from preceptor.release import intents, promotion, registry, signatures, users
from preceptor.release.artifacts import DamagedVersion
from preceptor.release.audit import audit
from preceptor.release.candidates import bar, overview, submit
from preceptor.release.chain import RecordBroken
from preceptor.release.lock import release_lock
from preceptor.release.standing import Validity
from preceptor.release.store import Store
from preceptor.release.users import NotAuthenticated

from .conftest import KEY, PASSED, PASSWORD, REFUSED, VALIDITY, bundle


@pytest.fixture
def approve(tracking, store):
    def sign(ref, as_user="ana", password=PASSWORD, reason="reads well"):
        return signatures.approve(tracking, store, ref, as_user=as_user, password=password, reason=reason)

    return sign


@pytest.fixture
def promote(tracking, store):
    def move(ref, required=1):
        return promotion.promote(tracking, store, ref, required=required, validity=VALIDITY, actor="test")

    return move


@pytest.fixture
def rollback(tracking, store, name):
    def back():
        return promotion.rollback(
            tracking, store, name, required=1, validity=VALIDITY, actor="test", reason="worse in practice"
        )

    return back


@pytest.fixture
def aliases(tracking, name):
    def now() -> dict:
        return {
            alias: registry.get_alias(tracking, name, alias)
            for alias in ("candidate", "champion", "previous")
        }

    return now


def test_the_same_content_is_one_version(make_version, tracking, name, store):
    first, again, other = make_version("a"), make_version("a"), make_version("b")
    assert (first.version, again.version, other.version) == (1, 1, 2)
    assert [info.ref for info in registry.list_versions(tracking, name)] == [f"{name}/1", f"{name}/2"]
    assert [event.kind for event in store.events() if event.subject.startswith(name)] == ["registered"] * 2


def test_the_same_weights_after_another_evaluation_are_another_version(make_version):
    first = make_version("a")
    second = make_version("a", evaluation={"version": "dddddddddddd-44444444"})
    assert first.digest != second.digest and second.version == 2


def test_tags_name_the_digest_every_data_version_and_the_evaluation(make_version):
    info = make_version("a")
    assert info.data == bundle()["data"]
    assert info.evaluation == "cccccccccccc-33333333"
    assert len(info.digest) == 64


@pytest.mark.parametrize("key", ["data", "recipe", "code", "lock", "base_model", "evaluation", "seeds"])
def test_a_model_that_could_not_be_made_again_is_not_registered(make_version, tracking, name, key):
    with pytest.raises(UsageError, match=key):
        make_version("a", **{key: {}})
    assert registry.list_versions(tracking, name) == []


def test_a_download_is_byte_for_byte_what_was_registered(make_version, tracking, tmp_path):
    info = make_version("weights")
    registry.download(tracking, info.ref, tmp_path / "copy")
    assert (tmp_path / "copy" / "adapter.bin").read_text() == "weights"
    assert (tmp_path / "copy" / "inner" / "config.json").exists()
    with pytest.raises(UsageError, match="exists already"):
        registry.download(tracking, info.ref, tmp_path / "copy")


def test_promotion_without_approval_is_refused_and_changes_nothing(make_version, promote, aliases, store):
    info = make_version("a")
    before, events = aliases(), len(store.events())
    with pytest.raises(GateRefused, match="0 of 1 required approvals"):
        promote(info.ref)
    assert aliases() == before == {"candidate": 1, "champion": None, "previous": None}
    assert len(store.events()) == events


def test_no_setting_promotes_without_a_signature(make_version, promote):
    with pytest.raises(GateRefused, match="0 of 1"):
        promote(make_version("a").ref, required=0)


def test_an_approval_names_run_digest_and_evaluation(make_version, approve):
    info = make_version("a")
    event = approve(info.ref)
    assert {key: event.payload[key] for key in ("version", "run_id", "digest", "evaluation")} == {
        "version": info.ref,
        "run_id": info.run_id,
        "digest": info.digest,
        "evaluation": info.evaluation,
    }
    assert approve(info.ref).id == event.id  # signed once


@pytest.mark.parametrize(
    ("as_user", "password", "reason", "error"),
    [
        ("ana", "wrong password", "fine", NotAuthenticated),
        ("nobody", PASSWORD, "fine", NotAuthenticated),
        ("rita", PASSWORD, "fine", GateRefused),
        ("pia", PASSWORD, "fine", GateRefused),
        ("ana", PASSWORD, "  ", UsageError),
    ],
)
def test_who_may_not_approve_leaves_no_trace(make_version, approve, store, as_user, password, reason, error):
    info = make_version("a")
    events = len(store.events())
    with pytest.raises(error):
        approve(info.ref, as_user, password, reason)
    assert len(store.events()) == events


def test_two_promotions_leave_the_first_as_previous_and_rollback_returns_to_it(
    make_version, approve, promote, rollback, aliases, name, tracking, store
):
    for weights in "abc":
        ref = make_version(weights).ref
        approve(ref)
        assert promote(ref).event is not None
    assert aliases() == {"candidate": None, "champion": 3, "previous": 2}
    assert promote(f"{name}/3").event is None  # already
    assert rollback().champion == f"{name}/2"
    assert aliases() == {"candidate": None, "champion": 2, "previous": 1}
    assert rollback().champion == f"{name}/1"
    assert aliases() == {"candidate": None, "champion": 1, "previous": None}
    with pytest.raises(GateRefused, match="no previous champion"):
        rollback()
    assert store.verify() == []


def test_a_rollback_is_taken_back_by_naming_the_version_it_left(
    make_version, approve, promote, aliases, name, tracking, store
):
    versions = [make_version(weights) for weights in "xyz"]
    for info in versions:
        approve(info.ref)
        promote(info.ref)
    never = make_version("w")

    def back(to=None):
        return promotion.rollback(
            tracking, store, name, required=1, validity=VALIDITY, actor="test", reason="worse", to=to
        )

    assert back().champion == f"{name}/2"
    done = back(f"{name}/3")
    assert (done.champion, done.previous) == (f"{name}/3", f"{name}/2")
    assert aliases() == {"candidate": never.version, "champion": 3, "previous": 2}
    assert intents.champions(store, name)[-1] == 3
    assert back(f"{name}/1").previous == f"{name}/3"  # any earlier champion
    assert back(f"{name}/1").event is None  # it is champion already
    assert back().champion == f"{name}/3"
    with pytest.raises(GateRefused, match="never champion"):
        back(never.ref)
    assert [problem for problem in audit(tracking, store) if problem.where.startswith(name)] == []


def test_a_version_rolled_back_needs_new_signatures(make_version, approve, promote, rollback, name, store):
    for weights in "ab":
        ref = make_version(weights).ref
        approve(ref)
        promote(ref)
    rollback()
    assert promotion.pending(store, required=1) == []
    with pytest.raises(GateRefused, match="0 of 1"):
        promote(f"{name}/2")
    approve(f"{name}/2")
    assert promote(f"{name}/2").previous == f"{name}/1"


def test_two_required_approvals_are_two_people(make_version, approve, promote):
    info = make_version("a")
    approve(info.ref)
    approve(info.ref, reason="once more")
    with pytest.raises(GateRefused, match="1 of 2"):
        promote(info.ref, required=2)
    approve(info.ref, as_user="ben")
    assert promote(info.ref, required=2).champion == info.ref


def test_what_a_disabled_user_signed_before_stays_valid_and_nothing_after(
    make_version, approve, promote, store
):
    first, second = make_version("a"), make_version("b")
    approve(first.ref)
    users.disable(store, "ana", actor="operator:test")
    assert store.verify() == []
    assert promote(first.ref).champion == first.ref
    with pytest.raises(NotAuthenticated):
        approve(second.ref)


def test_a_rejected_version_is_never_promoted(make_version, approve, promote, tracking, store):
    info = make_version("a")
    approve(info.ref)
    signatures.reject(tracking, store, info.ref, as_user="pia", password=PASSWORD, reason="copies a letter")
    with pytest.raises(GateRefused, match="pia rejected it"):
        promote(info.ref)
    with pytest.raises(GateRefused, match="pia rejected it"):
        approve(info.ref, as_user="ben")
    assert promotion.pending(store, required=1) == []


def test_a_rejected_version_waits_no_more_even_if_its_pipeline_runs_again(
    make_version, tracking, store, aliases
):
    info = make_version("a")
    assert aliases()["candidate"] == 1
    for _ in range(2):
        signatures.reject(tracking, store, info.ref, as_user="ben", password=PASSWORD, reason="no")
    assert make_version("a").ref == info.ref
    assert aliases()["candidate"] is None
    assert [event.kind for event in store.events(subject=info.ref)] == ["registered", "rejected"]


def test_the_champion_cannot_be_rejected_or_approved(make_version, approve, promote, tracking, store):
    info = make_version("a")
    approve(info.ref)
    promote(info.ref)
    with pytest.raises(GateRefused, match="is the champion"):
        signatures.reject(tracking, store, info.ref, as_user="pia", password=PASSWORD, reason="no")
    with pytest.raises(GateRefused, match="champion already"):
        approve(info.ref)


def test_a_barred_version_is_neither_promoted_nor_rolled_back_to(
    make_version, approve, promote, rollback, name, store, aliases
):
    for weights in "ab":
        ref = make_version(weights).ref
        approve(ref)
        promote(ref)
    third = make_version("c")
    approve(third.ref)
    assert bar(store, [f"{name}/1", third.ref], reason="a patient was erased", actor="test") == [
        f"{name}/1",
        third.ref,
    ]
    assert bar(store, [f"{name}/1"], reason="again", actor="test") == []
    before = aliases()
    for deed in (lambda: promote(third.ref), rollback):
        with pytest.raises(GateRefused, match="it is barred"):
            deed()
    assert aliases() == before


def test_what_the_evaluation_gate_refused_is_kept_but_is_no_candidate(make_version, approve, aliases, store):
    info = make_version("a", REFUSED)
    make_version("a", REFUSED)
    assert aliases()["candidate"] is None
    assert [event.kind for event in store.events(subject=info.ref)] == ["registered", "gate_refused"]
    with pytest.raises(GateRefused, match="evaluation gate"):
        approve(info.ref)


def test_a_promoted_model_does_not_wait_again_when_its_pipeline_runs_again(
    make_version, approve, promote, aliases
):
    info = make_version("a")
    approve(info.ref)
    promote(info.ref)
    assert make_version("a").ref == info.ref
    assert aliases() == {"candidate": None, "champion": 1, "previous": None}


def test_the_champion_evaluated_anew_is_no_new_candidate_but_other_weights_are(
    make_version, approve, promote, aliases
):
    info = make_version("a")
    approve(info.ref)
    promote(info.ref)
    assert make_version("a", evaluation={"version": "eeeeeeeeeeee-55555555"}).ref == info.ref
    assert aliases() == {"candidate": None, "champion": 1, "previous": None}
    make_version("b", evaluation={"version": "eeeeeeeeeeee-55555555"})
    assert aliases() == {"candidate": 2, "champion": 1, "previous": None}


def test_a_changed_digest_in_the_registry_is_refused(make_version, approve, promote, tracking, name, store):
    import mlflow

    info = make_version("a")
    approve(info.ref)
    mlflow.MlflowClient(tracking.uri).set_model_version_tag(name, "1", "digest", "0" * 64)
    with pytest.raises(GateRefused, match="its digest in the registry"):
        promote(info.ref)
    assert [(p.where, p.rule) for p in audit(tracking, store) if p.where == info.ref][0] == (
        info.ref,
        "tag-digest",
    )


def test_changed_weights_are_refused_and_named(make_version, approve, promote, tracking, store, aliases):
    info = make_version("a")
    approve(info.ref)
    with open(urlparse(info.source).path + "/adapter.bin", "a") as weights:
        weights.write("!")
    with pytest.raises(DamagedVersion, match="adapter.bin"):
        promote(info.ref)
    assert aliases()["champion"] is None
    assert (info.ref, "files") in [(p.where, p.rule) for p in audit(tracking, store)]


def test_a_tampered_record_stops_promotion_and_rollback(
    make_version, approve, promote, rollback, store, aliases
):
    info = make_version("a")
    event = approve(info.ref)
    with sqlite3.connect(store.folder / "release.db") as db:
        db.execute("DROP TRIGGER events_stay")
        db.execute("UPDATE events SET payload = replace(payload, 'reads', 'leads') WHERE id = ?", (event.id,))
    db.close()
    for deed in (lambda: promote(info.ref), rollback, lambda: promotion.pending(store, required=1)):
        with pytest.raises(RecordBroken, match=f"event {event.id}"):
            deed()
    assert aliases()["champion"] is None


def test_a_champion_moved_behind_the_record_is_found(make_version, approve, promote, tracking, store, name):
    for weights in "ab":
        info = make_version(weights)
    approve(info.ref)
    promote(info.ref)
    assert [p for p in audit(tracking, store) if p.where.startswith(name)] == []
    registry.set_alias(tracking, name, "champion", 1)
    assert [(p.where, p.rule) for p in audit(tracking, store) if p.where.startswith(name)] == [
        (f"{name}@champion", "alias")
    ]


def test_pending_lists_approved_versions_until_they_are_promoted(make_version, approve, promote, store):
    first, second = make_version("a"), make_version("b")
    assert promotion.pending(store, required=1) == []
    one, two = approve(first.ref), approve(second.ref)
    assert [(p.ref, p.event) for p in promotion.pending(store, required=1)] == [
        (first.ref, one.id),
        (second.ref, two.id),
    ]
    assert [p.ref for p in promotion.pending(store, required=1, since=one.id)] == [second.ref]
    assert promotion.pending(store, required=2) == []
    promote(first.ref)
    assert [p.ref for p in promotion.pending(store, required=1)] == [second.ref]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from preceptor.release import intents, promotion
    from preceptor.release.registry import Tracking
    from preceptor.release.standing import Validity
    from preceptor.release.store import Store

    uri, artifacts, folder, ref = sys.argv[1:]
    move, moved = intents.set_alias, []

    def set_alias(*arguments):
        if moved:
            os.kill(os.getpid(), signal.SIGKILL)
        moved.append(move(*arguments))

    intents.set_alias = set_alias
    tracking, store = Tracking(uri, artifacts), Store(Path(folder), bytes(range(32)))
    promotion.promote(tracking, store, ref, required=1, validity=Validity("policy-1"), actor="test")
"""


@pytest.fixture
def champion_and_approved(make_version, approve, promote):
    """Version 1 is the champion, version 2 approved."""
    first, second = make_version("a"), make_version("b")
    approve(first.ref)
    promote(first.ref)
    approve(second.ref)
    return second.ref


@pytest.fixture
def interrupted(monkeypatch):
    """Run a deed that is interrupted just before its alias call number `calls`, counted from 0."""

    def run(calls, deed):
        left = [calls]

        def set_alias(*arguments):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            registry.set_alias(*arguments)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(intents, "set_alias", set_alias)
            deed()

    return run


def test_a_promotion_killed_between_the_aliases_is_completed_by_the_next_call(
    champion_and_approved, promote, aliases, tracking, store, name
):
    ref = champion_and_approved
    arguments = [tracking.uri, tracking.artifacts, str(store.folder), ref]
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), *arguments], capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert aliases() == {"candidate": 2, "champion": 1, "previous": 1}
    assert intents.unfinished(store, name) is not None
    assert promote(ref).champion == ref
    assert aliases() == {"candidate": None, "champion": 2, "previous": 1}
    kinds = [event.kind for event in store.events(subject=ref)]
    assert kinds == ["registered", "approved", "promoting", "promoted"]
    assert intents.unfinished(store, name) is None and store.verify() == []
    assert promotion.pending(store, required=1) == []


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_an_interrupted_promotion_is_completed_wherever_it_stopped(
    champion_and_approved, interrupted, promote, aliases, calls
):
    interrupted(calls, lambda: promote(champion_and_approved))
    assert promote(champion_and_approved).previous.endswith("/1")
    assert aliases() == {"candidate": None, "champion": 2, "previous": 1}


@pytest.mark.parametrize("calls", [0, 1])
def test_an_interrupted_rollback_is_completed_and_goes_back_once(
    champion_and_approved, interrupted, promote, rollback, aliases, store, name, calls
):
    promote(champion_and_approved)
    interrupted(calls, rollback)
    assert rollback().champion == f"{name}/1"  # completes the first, and goes back no further
    assert aliases() == {"candidate": None, "champion": 1, "previous": None}
    assert intents.champions(store, name) == [1]
    assert [event.kind for event in store.events(kinds=("rolling_back", "rolled_back"))] == [
        "rolling_back",
        "rolled_back",
    ]


def test_an_interrupted_promotion_of_what_was_then_barred_is_taken_back(
    champion_and_approved, interrupted, promote, aliases, store, name
):
    interrupted(1, lambda: promote(champion_and_approved))
    bar(store, [champion_and_approved], reason="a patient was erased", actor="test")
    with pytest.raises(GateRefused, match="barred"):
        promote(champion_and_approved)
    assert (aliases()["champion"], aliases()["previous"]) == (1, None)
    assert intents.unfinished(store, name) is None


def hold(folder, held, let_go):
    with release_lock(folder):
        held.set()
        let_go.wait(30)


def test_the_lock_keeps_a_second_process_out_until_the_first_is_gone(tmp_path):
    from preceptor.errors import PreceptorError

    context = multiprocessing.get_context("spawn")
    held, let_go = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(tmp_path, held, let_go))
    holder.start()
    assert held.wait(60)
    with pytest.raises(PreceptorError, match="Another process"), release_lock(tmp_path, patience=0.2):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with release_lock(tmp_path, patience=5):
        pass


def test_the_overview_has_one_status_for_each_version(make_version, approve, promote, tracking, store, name):
    refs = [make_version(weights).ref for weights in "abcde"]
    for ref in refs[:2]:
        approve(ref)
        promote(ref)
    approve(refs[2])
    signatures.reject(tracking, store, refs[3], as_user="ben", password=PASSWORD, reason="no")
    make_version("f", REFUSED)
    rows = overview(tracking, store, 1, name)
    assert [row["status"] for row in rows] == [
        "previous",
        "champion",
        "approved",
        "rejected",
        "candidate",
        "registered",
    ]
    assert rows[0]["headline"] == bundle()["evaluation"]["headline"]
    assert rows[5]["gate"] == REFUSED.facts()
    assert rows[1]["aliases"] == ["champion"]


def test_a_registration_killed_before_its_event_is_completed(make_version, tracking, store, name, tmp_path):
    """The version is in MLflow, the record does not know it: the next submission writes what is missing."""
    info = make_version("a")
    behind = Store(tmp_path / "behind", KEY)
    folder = tmp_path / "weights-a"
    again = submit(tracking, behind, name, None, folder, bundle(), PASSED, actor="test")
    assert again.digest == info.digest and again.version == 1
    assert [event.kind for event in behind.events()] == ["registered"]
    behind.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "ref", ["nothing", "a/b/c", "name@", "/1", "name/0", "name/x", "na'me/1", "name@champion' or"]
)
def test_a_malformed_ref_is_wrong_usage(tracking, ref):
    with pytest.raises(UsageError):
        registry.resolve(tracking, ref)


def test_a_changed_gate_policy_and_an_old_evaluation_do_not_promote(
    make_version, approve, tracking, store, aliases
):
    info = make_version("a")
    approve(info.ref)

    def promoted_under(validity):
        return promotion.promote(tracking, store, info.ref, required=1, validity=validity, actor="test")

    with pytest.raises(GateRefused, match="rule policy"):
        promoted_under(Validity("policy-2", days=90))
    assert aliases()["champion"] is None
    registered = store.events(subject=info.ref, kinds=("registered",))[0]
    late = dataclasses.replace(registered, at="2020-01-01T00:00:00+00:00")
    assert Validity("policy-1", days=0).lapsed(late) == []
    assert "rule expired" in Validity("policy-1", days=90).lapsed(late)[0]
    ahead = dataclasses.replace(registered, at="2999-01-01T00:00:00+00:00")  # by a clock that was wrong
    assert "rule clock-jump" in Validity("policy-1", days=90).lapsed(ahead)[0]
    assert promoted_under(VALIDITY).champion == info.ref
