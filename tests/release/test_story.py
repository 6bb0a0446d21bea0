"""The whole story of two versions: signed by two people, promoted by the sensor, rolled back and forth, verified, tampered
with, and barred when a patient is erased. Then the same with a kill before every single write."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import pytest
from starlette.testclient import TestClient

from preceptor.cli import main
from preceptor.errors import GateRefused
from preceptor.release import intents, promotion, registry, signatures
from preceptor.release.store import Store, open_store
from preceptor.review.app import application, house_of

from .conftest import KEY, PASSWORD, VALIDITY
from .story import APPROVERS, job, make_home, sensor_asks, sign, sign_in


@pytest.fixture
def program(capsys):
    def call(home, *arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(home.workspace.home), "--config", str(home.config), *arguments])
        said = capsys.readouterr()
        assert ended.value.code == code, said.err
        return said.out + said.err

    return call


@pytest.fixture
def recorded():
    """What the record of a home says, in the order of events."""

    def read(home, *kinds):
        store = open_store(home.workspace)
        try:
            return store.events(kinds=kinds)
        finally:
            store.close()

    return read


def test_from_two_signatures_to_a_barred_version(tmp_path, program, recorded):
    home = make_home(tmp_path)
    house = house_of(home.workspace, home.settings)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        for number in (1, 2):
            ref = home.version(number).ref
            for name in APPROVERS:
                assert sensor_asks(home, instance) == []  # nothing, or one of two
                client = TestClient(application(house), base_url="http://127.0.0.1", follow_redirects=False)
                sign(client, sign_in(client, name), ref, f"read by {name}")
            (request,) = sensor_asks(home, instance)
            assert request.tags["preceptor/version"] == ref
            assert job(home, instance, "promotion", request.run_config).success
            assert sensor_asks(home, instance) == []
        for deed in recorded(home, "promoted"):
            smoke = deed.payload["smoke"]
            assert (smoke["differing"], smoke["number_format"]) == ([], "float32")
            assert smoke["compared"] >= 3 and smoke["asked"] == smoke["compared"] + 3

        back = {"ops": {"roll_back": {"config": {"reason": "worse in practice"}}}}
        assert job(home, instance, "rollback", back).success
        assert registry.get_alias(registry.tracking_of(home.workspace), "preceptor", "champion") == 1
        back["ops"]["roll_back"]["config"]["to"] = "preceptor/2"
        assert job(home, instance, "rollback", back).success
    deeds = [(event.kind, event.subject) for event in recorded(home, "promoted", "rolled_back")]
    assert deeds == [
        ("promoted", "preceptor/1"),
        ("promoted", "preceptor/2"),
        ("rolled_back", "preceptor/1"),
        ("rolled_back", "preceptor/2"),
    ]
    assert "the registry agrees" in program(home, "release", "verify")

    (reason,) = [e.id for e in recorded(home, "approved") if e.payload["reason"] == "read by ben"][:1]
    for change in ("'read by ben', 'read by bem'", "'read by bem', 'read by ben'"):
        with sqlite3.connect(home.workspace.release / "release.db") as db:
            db.execute("DROP TRIGGER IF EXISTS events_stay")
            db.execute(f"UPDATE events SET payload = replace(payload, {change}) WHERE id = ?", (reason,))
        db.close()
        if "bem'," not in change:
            assert f"event {reason}:" in program(home, "release", "verify", code=1)
            program(home, "release", "rollback", code=1)
    assert "the registry agrees" in program(home, "release", "verify")

    assert "preceptor/2" in program(home, "forget", "--patient", "77")
    assert "preceptor/1 is the champion" in program(home, "release", "rollback")
    assert "it is barred" in program(home, "release", "rollback", "--to", "preceptor/2", code=3)
    assert "the registry agrees" in program(home, "release", "verify")


@pytest.mark.parametrize(
    ("status", "reason", "minutes", "asked"),
    [
        ("STARTED", "", 9, False),  # at work
        ("STARTED", "", 11, True),  # its process is gone, and nobody told Dagster
        ("QUEUED", "", 600, False),  # the daemon takes it up when it is back
        ("FAILURE", "STEP_FAILURE", 1, False),  # refused: a person decides what next
        ("FAILURE", "START_TIMEOUT", 1, True),
        ("CANCELED", "", 60, False),
        ("SUCCESS", "", 60, False),
    ],
)
def test_the_sensor_asks_again_only_for_a_promotion_that_was_killed(status, reason, minutes, asked):
    from pipelines.sensors import ATTEMPTS, run_key

    now = datetime(2026, 5, 1, tzinfo=UTC)
    run = SimpleNamespace(
        dagster_run=SimpleNamespace(
            status=dg.DagsterRunStatus(status), tags={"dagster/failure_reason": reason} if reason else {}
        ),
        update_timestamp=now - timedelta(minutes=minutes),
    )
    assert run_key("approval-7", [], now, 10) == "approval-7"
    assert run_key("approval-7", [run, run], now, 10) == ("approval-7-2" if asked else None)
    assert run_key("approval-7", [run] * ATTEMPTS, now, 10) is None


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture
def killed_before(monkeypatch):
    """Let the write number `cut`, of an event or an alias, end the process; returns whether that came about."""

    def arm(cut):
        left = [cut]

        def dying(write):
            def guarded(*arguments, **named):
                left[0] -= 1
                if left[0] == -1:
                    raise Killed
                return write(*arguments, **named)

            return guarded

        monkeypatch.setattr(intents, "set_alias", dying(registry.set_alias))
        monkeypatch.setattr(Store, "append", dying(_APPEND))
        return lambda: left[0] < 0

    return arm


_APPEND = Store.append


def test_killed_before_any_write_the_story_ends_the_same(
    make_version, store, tracking, name, killed_before, tmp_path
):
    first, second = make_version("a"), make_version("b")
    for info in (first, second):
        signatures.approve(tracking, store, info.ref, as_user="ana", password=PASSWORD, reason="reads well")
    given = {"required": 1, "validity": VALIDITY, "actor": "test"}
    asked = []

    def smoke(info):
        asked.append(info.version)
        return {"asked": 1}

    steps = (
        lambda record: promotion.promote(tracking, record, first.ref, **given, smoke=smoke),
        lambda record: promotion.promote(tracking, record, second.ref, **given, smoke=smoke),
        lambda record: promotion.rollback(tracking, record, name, **given, reason="worse"),
        lambda record: promotion.rollback(tracking, record, name, **given, reason="better", to=second.ref),
    )
    ends, cut = [], 0
    while True:
        # The record as it was before; the registry holds nothing of it but the aliases.
        folder = tmp_path / f"cut-{cut}"
        shutil.copytree(store.folder, folder)
        folder.chmod(0o700)
        for alias, version in (("champion", None), ("previous", None), ("candidate", second.version)):
            registry.set_alias(tracking, name, alias, version)
        record, came = Store(folder, KEY), killed_before(cut)
        for step in steps:
            try:
                step(record)
            except Killed:
                record.close()
                record = Store(folder, KEY)
                step(record)
        aliases = {
            alias: registry.get_alias(tracking, name, alias)
            for alias in ("candidate", "champion", "previous")
        }
        deeds = [(e.kind, e.subject) for e in record.events(since=store.events()[-1].id)]
        assert record.verify() == []
        record.close()
        ends.append((aliases, deeds))
        if not came():
            break
        cut += 1
    assert (
        cut == 25
    )  # 4 intents and 4 deeds, each before and in its transaction; 8 aliases, and the candidate's
    assert all(end == ends[-1] for end in ends)
    assert ends[-1][0] == {"candidate": None, "champion": 2, "previous": 1}
    assert [kind for kind, _ in ends[-1][1]] == [
        "promoting", "promoted", "promoting", "promoted", "rolling_back", "rolled_back", "rolling_back", "rolled_back",
    ]  # fmt: skip
    assert set(asked) == {1, 2}


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(make_version, tracking, store, name):
    refs = [make_version(weights).ref for weights in "ab"]
    for ref in refs:
        signatures.approve(tracking, store, ref, as_user="ana", password=PASSWORD, reason="reads well")
    both, ended = threading.Barrier(2), {}

    def smoke(_):  # both have been found promotable; now the files are asked, and then one is first
        both.wait(60)
        return {"asked": 1}

    def run(ref):
        record = Store(store.folder, KEY)
        try:
            given = {"required": 1, "validity": VALIDITY, "actor": "test", "smoke": smoke}
            ended[ref] = promotion.promote(tracking, record, ref, **given).champion
        except GateRefused as error:
            ended[ref] = str(error)
        finally:
            record.close()

    threads = [threading.Thread(target=run, args=(ref,)) for ref in refs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    (winner,) = [ref for ref in refs if ended[ref] == ref]
    (loser,) = set(refs) - {winner}
    assert f"{loser} is not promoted: {winner} became champion meanwhile (rule overtaken)" in ended[loser]
    assert [e.subject for e in store.events(kinds=("promoting", "promoted"))] == [winner, winner]
    assert (
        promotion.promote(tracking, store, loser, required=1, validity=VALIDITY, actor="test").previous
        == winner
    )


def test_a_version_whose_files_do_not_answer_changes_nothing(make_version, tracking, store, name):
    info = make_version("a")
    signatures.approve(tracking, store, info.ref, as_user="ana", password=PASSWORD, reason="reads well")
    events = len(store.events())

    def smoke(_):
        raise GateRefused("rule smoke-failed: follow-up: empty")

    with pytest.raises(GateRefused, match="smoke-failed"):
        promotion.promote(tracking, store, info.ref, required=1, validity=VALIDITY, actor="test", smoke=smoke)
    assert registry.get_alias(tracking, name, "champion") is None
    assert len(store.events()) == events


def test_nobody_is_asked_about_a_version_that_may_not_be_promoted_anyway(make_version, tracking, store):
    info = make_version("a")
    with pytest.raises(GateRefused, match="0 of 1"):
        promotion.promote(
            tracking,
            store,
            info.ref,
            required=1,
            validity=VALIDITY,
            actor="test",
            smoke=lambda _: pytest.fail("a model was loaded for nothing"),
        )
