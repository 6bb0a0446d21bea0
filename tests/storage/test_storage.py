from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import closing

import pyarrow.parquet as pq
import pytest

from preceptor import dropping
from preceptor.errors import UsageError
from preceptor.keys import storage_key
from preceptor.release.erasure import erase
from preceptor.release.registry import tracking_of
from preceptor.release.store import open_store
from preceptor.settings import Settings, StorageSettings, Workspace
from preceptor.storage.around import fetch_missing, send_finished
from preceptor.storage.errors import ChangedCopy, StorageError
from preceptor.storage.home import find, objects_of, pull, push, rows
from preceptor.storage.objects import Objects, open_objects
from preceptor.vault import open_vault
from preceptor.versions import file_sha256, latest, load, make_version
from tests.storage.conftest import another, make_house, passes

KEPT = ["data/curated", "data/deid-b1", "models/model", "reports/evaluation"]


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class Dying(Objects):
    """A store whose client dies at the n-th change; an object that it was writing is not there, as on S3."""

    def __init__(self, objects: Objects, after: int) -> None:
        super().__init__(objects._system, objects._base, objects.name, objects._seal)
        self.left = after

    def _change(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1

    def write(self, key, data):
        self._change()
        super().write(key, data)

    def send(self, key, path):
        self._change()
        super().send(key, path)

    def remove(self, key):
        self._change()
        super().remove(key)


def keys(objects: Objects, at: str = "") -> dict[str, bytes]:
    """Every object of a store."""
    found: dict[str, bytes] = {}
    for name, size in objects.children(at).items():
        key = f"{at}/{name}".strip("/")
        found |= keys(objects, key) if size is None else {key: objects.read(key) or b""}
    return found


def forget(workspace: Workspace, ref: str, objects: Objects | None):
    with closing(open_vault(workspace)) as vault, closing(open_store(workspace)) as store:
        workspace.mlflow.mkdir(parents=True, exist_ok=True)
        return erase(workspace, vault, tracking_of(workspace), store, ref, "test", objects)


def texts_of(folder):
    return {p.name: pq.read_table(p)["text"].to_pylist() for p in folder.glob("*.parquet")}


def test_what_is_finished_is_sent_once_and_comes_back_the_same(house, objects, tmp_path):
    done = push(house.workspace, objects)
    assert sorted(v.rsplit("/", 1)[0] for v in done.versions) == KEPT and not done.left and not done.waiting
    before = keys(objects)
    again = push(house.workspace, objects)
    assert (again.versions, again.files, again.bytes) == ([], 0, 0) and keys(objects) == before

    other = another(house, tmp_path / "other")
    fetched = pull(other, objects, frozenset())
    assert sorted(fetched.versions) == sorted(done.versions) and not fetched.left
    for stage, version in house.versions.items():
        root = other.home / version.path.parent.parent.name
        there = latest(root, stage)
        assert there is not None and there.name == version.name
        assert {p.name: p.read_bytes() for p in there.path.iterdir() if p.name != "manifest.json"} == {
            p.name: p.read_bytes() for p in version.path.iterdir() if p.name != "manifest.json"
        }
        assert there.manifest == version.manifest
    for register in ("splits.json", "test-split.json"):
        assert (other.data / register).read_bytes() == (house.workspace.data / register).read_bytes()

    def never(folder):
        raise AssertionError("work was done again")

    curated = house.versions["curated"].manifest
    what = {name: curated[name] for name in ("inputs", "config", "code")}
    assert make_version(other.data, "curated", **what, write=never).reused
    assert pull(other, objects, frozenset()).versions == []


def test_no_key_vault_tagger_or_trial_is_ever_sent(house, objects):
    push(house.workspace, objects)
    stages = {"/".join(key.split("/")[:2]) for key in keys(objects)}
    assert stages == {*KEPT, "registers/splits.json", "registers/test-split.json"}
    red = [
        p.read_bytes()
        for name in ("keys", "vault")
        for p in (house.workspace.home / name).rglob("*")
        if p.is_file()
    ]
    sent = keys(objects).values()
    assert len(red) > 3 and not any(body == content for content in sent for body in red if body)
    master = (house.workspace.keys / "master.key").read_bytes().strip()
    assert master and not any(master in content for content in sent)


@pytest.mark.parametrize("state", ["unjudged", "failed", "another suite"])
def test_a_version_that_has_not_passed_its_gate_waits(house, objects, state):
    name = house.versions["curated"].name
    verdict = house.workspace.data / "verdicts" / f"curated_examples-{name}.json"
    if state == "unjudged":
        verdict.unlink()
    elif state == "failed":
        passes(house.workspace, "curated_examples", name, passed=False)
    else:
        verdict.write_text(json.dumps(json.loads(verdict.read_text()) | {"suite_sha256": "0" * 64}))
    done = push(house.workspace, objects)
    assert (
        list(done.waiting) == [f"data/curated/{name}"]
        and "rule gate-" in done.waiting[f"data/curated/{name}"]
    )
    assert not any(key.startswith("data/curated") for key in keys(objects))


def test_killed_at_any_change_no_half_version_counts_and_the_next_push_sends_the_rest(
    house, objects, tmp_path
):
    whole = 0
    for after in range(100):
        try:
            push(house.workspace, Dying(objects, after=1 if after else 0))
            break
        except Killed:
            pass
        there = [row for row in rows(house.workspace, objects) if row.store]
        assert len(there) >= whole
        whole = len(there)
        for number, row in enumerate(there):  # whatever counts as there is whole
            probe = Workspace(tmp_path / f"probe-{after}-{number}")
            done = pull(probe, objects, frozenset(), wanted=[find(objects, row.stage, row.name)])
            assert not done.left and f"{row.root}/{row.stage}/{row.name}" in done.versions
    assert 10 < after < 99 and whole == 4


def test_a_killed_pull_leaves_no_version_and_the_next_fetches_only_the_rest(house, objects, tmp_path):
    push(house.workspace, objects)
    other, taken = another(house, tmp_path / "other"), []

    class Cut(Objects):
        def receive(self, key, path):
            taken.append(key)
            if len(taken) == 2:
                path.write_bytes(b"ha")
                raise Killed
            return super().receive(key, path)

    cut = Cut(objects._system, objects._base, objects.name, objects._seal)
    with pytest.raises(Killed):
        pull(other, cut, frozenset())
    assert not list(other.data.glob("*/*/manifest.json")) or latest(other.data, "curated") is None
    assert not pull(other, cut, frozenset()).left
    assert len(taken) == len(set(taken)) + 1  # only the file in hand was read again
    assert not list(other.home.rglob("*.part"))


@pytest.mark.parametrize("harm", ["flipped", "cut", "gone", "manifest", "elsewhere", "forged", "not json"])
def test_what_was_changed_in_the_store_is_refused_and_mended_from_a_home_that_has_it(
    house, objects, tmp_path, harm
):
    push(house.workspace, objects)
    name = house.versions["curated"].name
    folder = f"data/curated/{name}"
    sha = house.versions["curated"].manifest["files"]["examples.parquet"]
    manifest = json.loads(objects.read_sealed(f"{folder}/manifest.json"))
    body = objects.read(f"{folder}/{sha}")
    if harm == "flipped":
        objects.write(f"{folder}/{sha}", body[:100] + bytes([body[100] ^ 1]) + body[101:])
    elif harm == "cut":
        objects.write(f"{folder}/{sha}", body[:-1])
    elif harm == "gone":
        objects.remove(f"{folder}/{sha}")
    elif harm == "manifest":
        objects.write_sealed(f"{folder}/manifest.json", json.dumps(manifest | {"config": {"other": 1}}))
    elif harm == "elsewhere":
        files = {"../../../vault/vault.db": sha}
        objects.write_sealed(
            f"{folder}/manifest.json", json.dumps(manifest | {"files": files, "erasures": 1})
        )
    elif harm == "forged":
        other_files = manifest["files"] | {"examples.parquet": hashlib.sha256(b"mine").hexdigest()}
        forged = {"seal": "0" * 64, "content": json.dumps(manifest | {"files": other_files, "erasures": 1})}
        objects.write(f"{folder}/{other_files['examples.parquet']}", b"mine")
        objects.write(f"{folder}/manifest.json", json.dumps(forged).encode())
    else:
        objects.write(f"{folder}/manifest.json", b"{")
    other = another(house, tmp_path / "other")
    vault = (other.vault / "vault.db").read_bytes()
    done = pull(other, objects, frozenset())
    assert any("rule storage-" in reason and name in reason for reason in done.left.values())
    assert not (other.data / "curated" / name).exists() and latest(other.data, "curated") is None
    assert (other.vault / "vault.db").read_bytes() == vault
    # What was made from it is not taken without it.
    assert not (other.models / "model").exists() or not list((other.models / "model").glob("*/manifest.json"))

    assert not push(house.workspace, objects, check=True).left
    assert not pull(other, objects, frozenset()).left and latest(other.data, "curated").name == name


def test_a_changed_file_of_the_home_is_not_sent(house, objects):
    version = house.versions["curated"]
    (version.path / "examples.parquet").write_bytes(b"other")
    done = push(house.workspace, objects)
    assert "rule digest" in done.left[f"data/curated/{version.name}"]
    assert objects.read(f"data/curated/{version.name}/manifest.json") is None


def test_forgetting_a_patient_takes_the_rows_out_of_the_store_too(house, objects, tmp_path):
    push(house.workspace, objects)
    ref = house.refs["77"]
    assert any(ref.encode() in body and key.startswith("data/") for key, body in keys(objects).items())
    before = {key for key in keys(objects) if not key.endswith("json")}
    forget(house.workspace, ref, objects)
    left = keys(objects)
    assert not any(ref.encode() in body for key, body in left.items() if not key.startswith("registers/"))
    assert not any(
        b"cough" in body or b"shown case" in body for key, body in left.items() if key.startswith("reports/")
    )
    # The old objects are gone, not only unnamed.
    named = {
        s
        for key, body in left.items()
        if key.endswith("manifest.json")
        for s in json.loads(json.loads(body)["content"])["files"].values()
    }
    assert {key.rsplit("/", 1)[1] for key in left if "registers" not in key} <= {
        *named,
        "manifest.json",
        "latest",
    }
    assert before - left.keys()
    other = another(house, tmp_path / "other")
    assert not pull(other, objects, house.erased()).left
    assert texts_of(latest(other.data, "curated").path) == {
        "examples.parquet": ["fever"],
        "removed.parquet": ["fever"],
    }


def test_what_only_the_store_has_is_cleaned_too(house, objects):
    push(house.workspace, objects)
    for folder in (house.workspace.data / "curated", house.workspace.reports / "evaluation"):
        shutil.rmtree(folder)
    forget(house.workspace, house.refs["77"], objects)
    assert not any(
        house.refs["77"].encode() in body
        for key, body in keys(objects).items()
        if not key.startswith("registers/")
    )


def test_killed_at_any_change_forgetting_ends_the_same(house, objects):
    push(house.workspace, objects)
    ref, kills = house.refs["77"], 0
    while True:
        try:
            forget(house.workspace, ref, Dying(objects, after=1))
            break
        except Killed:
            kills += 1
            assert ref not in house.erased()  # the key goes last
    assert kills > 5 and ref in house.erased()
    assert not any(
        ref.encode() in body for key, body in keys(objects).items() if not key.startswith("registers/")
    )


def test_killed_while_rows_were_dropped_the_next_call_seals_what_is_left(house, objects, monkeypatch):
    push(house.workspace, objects)
    ref, sealed = house.refs["77"], dropping._seal

    def dies(folder):
        if folder.parent.name == "curated":
            raise Killed
        sealed(folder)

    monkeypatch.setattr(dropping, "_seal", dies)
    with pytest.raises(Killed):
        forget(house.workspace, ref, objects)
    monkeypatch.setattr(dropping, "_seal", sealed)
    forget(house.workspace, ref, objects)
    version = load(house.workspace.data, "curated", house.versions["curated"].name)
    assert version.manifest["erasures"] == 1 and not dropping.interrupted(house.workspace.data)
    assert version.manifest["files"]["examples.parquet"] == file_sha256(version.path / "examples.parquet")
    assert not push(house.workspace, objects).left
    assert not any(
        ref.encode() in body for key, body in keys(objects).items() if not key.startswith("registers/")
    )


def test_with_the_store_away_forgetting_says_that_it_is_not_finished_and_finishes_later(house, tmp_path):
    objects = objects_of(house.workspace, Settings(storage=StorageSettings(url=f"file://{tmp_path}/store")))
    push(house.workspace, objects)
    ref = house.refs["77"]
    (tmp_path / "store").rename(tmp_path / "away")
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(StorageError, match="not finished"):
        forget(house.workspace, ref, objects)
    assert ref not in house.erased()
    assert texts_of(latest(house.workspace.data, "curated").path)["examples.parquet"] == ["fever"]
    (tmp_path / "store").unlink()
    (tmp_path / "away").rename(tmp_path / "store")
    forget(house.workspace, ref, objects)
    assert ref in house.erased()
    assert not any(
        ref.encode() in body for key, body in keys(objects).items() if not key.startswith("registers/")
    )


def test_a_home_that_still_has_an_erased_patient_cannot_bring_the_rows_back(house, objects, tmp_path):
    push(house.workspace, objects)
    stale = Workspace(tmp_path / "stale")
    shutil.copytree(house.workspace.home, stale.home)
    forget(house.workspace, house.refs["77"], objects)
    clean = keys(objects)
    done = push(stale, objects)
    assert done.left and all("rule storage-erasure" in reason for reason in done.left.values())
    assert keys(objects) == clean
    # Erased there too, the two are the same again.
    forget(stale, house.refs["77"], objects)
    assert not push(stale, objects).left


def test_what_an_unclean_store_holds_of_an_erased_patient_is_dropped_before_it_is_put_in_place(
    house, objects
):
    push(house.workspace, objects)
    dirty = keys(objects)
    forget(house.workspace, house.refs["77"], objects)
    for key, body in dirty.items():  # as from an older version of the bucket
        objects.write(key, body)
    for root in (house.workspace.data, house.workspace.reports):
        shutil.rmtree(root)
    assert not pull(house.workspace, objects, house.erased()).left
    assert texts_of(latest(house.workspace.data, "curated").path)["examples.parquet"] == ["fever"]
    assert not list(latest(house.workspace.reports, "evaluation").path.glob("*.parquet"))
    assert load(house.workspace.data, "curated", house.versions["curated"].name).manifest["erasures"] == 1


def test_two_homes_with_test_splits_of_their_own_do_not_mix(house, objects, tmp_path):
    push(house.workspace, objects)
    other = Workspace(tmp_path / "other")
    shutil.copytree(house.workspace.home, other.home)
    (other.data / "splits.json").write_text(json.dumps({house.refs["77"]: "test", house.refs["78"]: "train"}))
    before = keys(objects)
    done = push(other, objects)
    assert "rule storage-split" in done.left["registers/splits.json"] and keys(objects) == before
    grown = json.loads((house.workspace.data / "splits.json").read_text()) | {"p-new": "train"}
    (house.workspace.data / "splits.json").write_text(json.dumps(grown))
    assert not push(house.workspace, objects).left
    assert json.loads(objects.read_sealed("registers/splits.json")) == grown


def test_a_home_with_another_vault_neither_takes_nor_mixes(house, objects, tmp_path):
    push(house.workspace, objects)
    stranger = make_house(tmp_path / "stranger")
    theirs = Objects(objects._system, objects._base, objects.name, storage_key(stranger.workspace))
    before = keys(objects)
    with pytest.raises(ChangedCopy, match="storage-seal"):
        shutil.rmtree(stranger.workspace.data)
        pull(stranger.workspace, theirs, frozenset())
    assert not stranger.workspace.data.exists()
    again = make_house(tmp_path / "again")
    done = push(
        again.workspace, Objects(objects._system, objects._base, objects.name, storage_key(again.workspace))
    )
    assert "rule storage-seal" in done.left["registers/splits.json"] and keys(objects) == before
    with pytest.raises(UsageError, match="no vault"):
        objects_of(
            Workspace(tmp_path / "empty"), Settings(storage=StorageSettings(url=f"file://{tmp_path}/store"))
        )


def test_around_a_stage_a_store_that_is_away_is_said_and_costs_nothing(house, tmp_path):
    away = tmp_path / "store"
    settings = Settings(storage=StorageSettings(url=f"file://{away}"))
    said: list[str] = []
    send_finished(house.workspace, settings, said.append)
    assert "4 versions sent" in said[-1]
    shutil.rmtree(away)
    away.write_text("no folder")
    fetch_missing(house.workspace, settings, said.append)
    send_finished(house.workspace, settings, said.append)
    assert sum("rule storage-away" in line for line in said) == 2
    # A home without a test split does not make one of its own beside the store's.
    other = another(house, tmp_path / "other")
    with pytest.raises(StorageError, match="storage-first"):
        fetch_missing(other, settings, said.append)
    away.unlink()
    fetch_missing(other, settings, said.append)  # it answers, and has none
    away.write_text("no folder")
    fetch_missing(other, settings, said.append)
    assert "rule storage-away" in said[-1]


def test_without_an_address_nothing_happens(house):
    fetch_missing(house.workspace, Settings(), print)
    send_finished(house.workspace, Settings(), print)
    assert not (house.workspace.home / "storage.lock").exists()
    with pytest.raises(UsageError, match="storage.url"):
        open_objects(StorageSettings(), b"")


@pytest.mark.parametrize(
    "values",
    [
        {"url": "bucket/prefix"},
        {"url": "https://host/bucket"},
        {"url": "s3://"},
        {"url": "s3://id:secret@bucket/prefix"},
        {"url": "s3://bucket/prefix?secret_key=x"},
        {"url": "s3://bucket", "endpoint": "http://store.hospital.example:9000"},
        {"url": "s3://bucket", "endpoint": "https://id:secret@store.example"},
        {"url": "s3://bucket", "endpoint": "https://store.example/path"},
        {"url": "file:///srv/store", "endpoint": "https://store.example"},
        {"url": "s3://bucket", "secret": "x"},
    ],
)
def test_an_address_with_credentials_or_without_tls_is_refused(values):
    with pytest.raises(ValueError):
        StorageSettings(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"url": "s3://bucket/prefix", "endpoint": "http://127.0.0.1:9000"},
        {
            "url": "s3://bucket/prefix/",
            "endpoint": "https://store.hospital.example:9000",
            "region": "eu-west-1",
        },
        {"url": "abfs://container@account.dfs.core.windows.net/prefix"},
        {"url": "file:///srv/store"},
    ],
)
def test_an_address_is_taken_and_has_no_slash_at_its_end(values):
    assert StorageSettings(**values).url == values["url"].rstrip("/")


def test_a_missing_package_is_named():
    with pytest.raises(UsageError, match="uv pip install gcsfs"):
        open_objects(StorageSettings(url="gs://bucket/prefix"), b"")


def test_an_endpoint_that_nobody_answers_at_is_away_and_no_credential_is_said(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA-CANARY-ID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    objects = open_objects(
        StorageSettings(url="s3://bucket/p", endpoint="http://127.0.0.1:9", region="eu-west-1"), b""
    )
    with pytest.raises(StorageError, match="NETWORK_CONNECTION, rule storage-away") as told:
        objects.children("data")
    assert "CANARY" not in str(told.value).upper()
