"""A home saved while it is in use, and made again; what is wrong with a file is found before anything is written."""

from __future__ import annotations

import io
import json
import sqlite3
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from preceptor.backup import back_up, restore
from preceptor.cli import main
from preceptor.errors import PreceptorError, UsageError
from preceptor.release.store import open_store
from preceptor.settings import Workspace
from preceptor.vault import open_vault
from preceptor.vault.verification import verify


@pytest.fixture
def home(tmp_path):
    """A home with a vault that was read, a release record, a version and a database of Dagster."""
    ours = Workspace(tmp_path / "home")
    with closing(open_vault(ours)) as vault:
        note(vault, 0)
    with closing(open_store(ours)) as store:
        store.verify()
    version = ours.data / "curated" / "0123456789ab"
    version.mkdir(parents=True)
    (version / "manifest.json").write_text("{}")
    (version / ".half.part").write_text("x")
    ours.dagster_home.mkdir()
    with closing(sqlite3.connect(ours.dagster_home / "runs.db")) as db:
        db.execute("CREATE TABLE runs (id)")
        db.commit()
    return ours


def note(vault, number):
    vault.note("refused", f"entry {number}", "", {"number": number})


def kept(workspace):
    return {
        path.relative_to(workspace.home).as_posix()
        for path in workspace.home.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm", ".lock", ".part"))
    }


def test_a_home_comes_back_whole_and_verifies(home, tmp_path):
    file = tmp_path / "saved.tar"
    saved = back_up(home, file, with_keys=True)
    assert file.stat().st_mode & 0o077 == 0 and saved.keys
    again = Workspace(tmp_path / "again")
    assert restore(file, again) == saved
    assert kept(again) == kept(home) and saved.files == len(kept(home))
    with closing(open_vault(again)) as vault:
        assert verify(vault) == []
        assert [e.details["number"] for e in vault.audit.entries() if e.action == "refused"] == [0]
    with closing(open_store(again)) as store:
        assert store.verify() == []
    assert not list(again.home.rglob("*.part")) and not [
        p for p in tmp_path.iterdir() if p.name.startswith(".")
    ]


def test_the_registry_of_a_home_elsewhere_finds_its_files(home, tmp_path):
    from mlflow.tracking import MlflowClient

    from preceptor.release.registry import tracking_of

    def client(workspace):
        return MlflowClient(tracking_of(workspace).uri)

    home.mlflow.mkdir()
    store = home.mlflow / "artifacts"
    experiment = client(home).create_experiment("training", store.as_uri())
    run = client(home).create_run(experiment)
    (tmp_path / "weights.txt").write_text("weights")
    client(home).log_artifact(run.info.run_id, str(tmp_path / "weights.txt"))
    back_up(home, tmp_path / "saved.tar")
    again = Workspace(tmp_path / "again")
    restore(tmp_path / "saved.tar", again)
    home.home.rename(tmp_path / "gone")
    found = client(again).get_run(run.info.run_id)
    assert found.info.artifact_uri.startswith(again.home.as_uri() + "/mlflow/artifacts/")
    fetched = client(again).download_artifacts(run.info.run_id, "weights.txt", str(tmp_path))
    assert Path(fetched).read_text() == "weights"


def test_without_the_key_it_opens_only_once_the_key_is_brought(home, tmp_path):
    file = tmp_path / "saved.tar"
    assert not back_up(home, file).keys
    key = (home.keys / "master.key").read_bytes()
    with tarfile.open(file) as tar:
        members = tar.getnames()
        assert not any("keys" in name for name in members)
        assert all(key.strip() not in tar.extractfile(name).read() for name in members)
    again = Workspace(tmp_path / "again")
    restore(file, again)
    with pytest.raises(PreceptorError):
        open_vault(again)
    again.keys.mkdir(exist_ok=True, mode=0o700)
    (again.keys / "master.key").write_bytes(key)
    (again.keys / "master.key").chmod(0o600)
    with closing(open_vault(again)) as vault:
        assert verify(vault) == []


def test_what_is_written_meanwhile_cuts_no_log(home, tmp_path):
    stop, written = threading.Event(), []

    def write():
        with closing(open_vault(home)) as vault:
            while not stop.is_set():
                written.append(len(written) + 1)
                note(vault, written[-1])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 3:
            pass
        for n in range(4):
            back_up(home, tmp_path / f"saved-{n}.tar", with_keys=True)
    finally:
        stop.set()
        writer.join()
    for n in range(4):
        again = Workspace(tmp_path / f"again-{n}")
        restore(tmp_path / f"saved-{n}.tar", again)
        with closing(open_vault(again)) as vault:
            assert verify(vault) == []
            numbers = [e.details["number"] for e in vault.audit.entries() if e.action == "refused"]
        assert numbers == list(range(len(numbers))) and len(numbers) > 3


def rewritten(file, to, change):
    """The same tar with each member as `change(name, data)` gives it; None: left out."""
    with tarfile.open(file) as old, tarfile.open(to, "w") as new:
        for member in old:
            found = change(member.name, old.extractfile(member).read())
            if found is not None:
                name, data = found
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                new.addfile(entry, io.BytesIO(data))
    return to


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda n, d: (n, d[:-1] + b"!") if n.endswith("manifest.json") else (n, d), "is not what was saved"),
        (lambda n, d: None if n.endswith("runs.db") else (n, d), "is not what was saved"),
        (lambda n, d: None if n == "MANIFEST.json" else (n, d), "end is missing"),
        (lambda n, d: ("home/../../out", d) if n.endswith("runs.db") else (n, d), "outside the home"),
        (lambda n, d: ("/etc/out", d) if n.endswith("runs.db") else (n, d), "outside the home"),
    ],
    ids=["changed", "left out", "no end", "up", "absolute"],
)
def test_a_file_that_was_changed_is_refused_and_leaves_nothing(home, tmp_path, change, what):
    back_up(home, tmp_path / "saved.tar")
    wrong = rewritten(tmp_path / "saved.tar", tmp_path / "wrong.tar", change)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(PreceptorError, match=what):
        restore(wrong, Workspace(tmp_path / "again"))
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_cut_anywhere_is_refused(home, tmp_path):
    whole = back_up(home, tmp_path / "saved.tar")
    data = (tmp_path / "saved.tar").read_bytes()
    for share in (0, 0.1, 0.5, 0.9):
        (tmp_path / "cut.tar").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(PreceptorError, match="backup-file"):
            restore(tmp_path / "cut.tar", Workspace(tmp_path / "again"))
    assert whole.files and not (tmp_path / "again").exists()


def test_nothing_is_written_over(home, tmp_path):
    file = tmp_path / "saved.tar"
    back_up(home, file)
    with pytest.raises(UsageError, match="never written over"):
        back_up(home, file)
    with pytest.raises(UsageError, match="not empty"):
        restore(file, home)
    with pytest.raises(UsageError, match="in the home itself"):
        back_up(home, home.home / "saved.tar")
    with pytest.raises(UsageError, match="no home"):
        back_up(Workspace(tmp_path / "nothing"), tmp_path / "other.tar")
    assert not (tmp_path / "other.tar").exists()


def test_the_commands(home, tmp_path, capsys):
    for arguments in (
        ["--home", str(home.home), "backup", str(tmp_path / "saved.tar"), "--json"],
        ["--home", str(tmp_path / "again"), "restore", str(tmp_path / "saved.tar"), "--json"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert not ended.value.code
        assert json.loads(capsys.readouterr().out)["files"] == len(kept(home)) - 1  # the key
