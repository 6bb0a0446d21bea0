"""Files of an earlier Preceptor become this one's; those of a later one are left alone.

home-c195bba.tar.gz was written by the program of commit c195bba: two fictional documents taken in, one approver, two
events. Versions of tables were not counted then.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tarfile
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest

from preceptor.errors import UsageError
from preceptor.monitoring import alarms, retraining_record
from preceptor.release import store as release_store
from preceptor.release import users
from preceptor.release.store import open_store
from preceptor.review import database
from preceptor.serving import traffic
from preceptor.settings import Workspace
from preceptor.vault import audit, open_vault, transcripts
from preceptor.vault import store as vault_store
from preceptor.vault.schema import Schema
from preceptor.vault.verification import verify

BEFORE = Path(__file__).parent / "home-c195bba.tar.gz"
# Tables and version of every store. Where the tables of one have changed, files that are there must be brought to them: add a step
# to its schema and a test of it here, and then the new digest. (Only a comment or the layout has changed: the digest alone.)
TABLES = {
    vault_store: (2, "7b288a6ab54b"),
    audit: (1, "9bed9c2b3679"),
    transcripts: (1, "e0a42aeb8634"),
    release_store: (2, "aa91b107f3a5"),
    database: (1, "aed0ef86ed1e"),
    alarms: (1, "a8f55dc6f6a2"),
    retraining_record: (1, "3bf67b5bf611"),
    traffic: (1, "6f79b83b39cb"),
}


@pytest.fixture
def home(tmp_path) -> Workspace:
    with tarfile.open(BEFORE) as packed:
        packed.extractall(tmp_path / "home", filter="data")
    return Workspace(tmp_path / "home")


def test_the_vault_of_an_earlier_version_opens_and_verifies(home):
    with closing(open_vault(home)) as vault:
        (batch,) = vault.batches()
        texts = sorted(document.text for document in vault.documents(batch, why="test"))
        assert [text.split("\n")[1].split(" MRN")[0].strip() for text in texts] == [
            "Patient: Bram Tolliver", "Patient: Odalys Wrenfield",
        ]  # fmt: skip
        assert verify(vault) == []


def test_the_release_record_of_an_earlier_version_verifies_and_takes_todays_kinds(home):
    with closing(open_store(home)) as store:
        assert store.verify() == [] and [e.kind for e in store.events()] == [
            "user_added", "registered", "gate_refused",
        ]  # fmt: skip
        users.authenticate(store, "rita", "correct-horse-battery")
        store.append("comparison_closed", "e-1", "rita", {"comparison": "a"})
        assert store.verify() == []
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            store._db.execute("UPDATE events SET actor = 'x'")
    with closing(open_store(home)) as store:
        assert len(store.events()) == 4 and store.verify() == []


def test_killed_in_the_middle_of_an_upgrade_it_is_the_old_file_still(home, monkeypatch):
    def killed(db):
        release_store._take_more_kinds(db)
        raise KeyboardInterrupt

    half = Schema("the release record", release_store._TABLES, (killed,))
    with monkeypatch.context() as patch:
        patch.setattr(release_store, "_SCHEMA", half)
        with pytest.raises(KeyboardInterrupt):
            open_store(home)
    with closing(sqlite3.connect(home.release / "release.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM events").fetchone() == (3,)
    with closing(open_store(home)) as store:
        assert store.verify() == [] and len(store.events()) == 3


def _opened(home: Path) -> int:
    with closing(open_store(Workspace(home))) as store:
        return len(store.events())


def test_several_processes_that_open_an_old_file_upgrade_it_once(home):
    with get_context("spawn").Pool(3) as pool:
        assert pool.map(_opened, [home.home] * 6) == [3] * 6


@pytest.mark.parametrize("store", ["vault", "release"])
def test_what_a_later_version_has_written_is_refused_and_stays(home, store):
    path = home.home / store / f"{store}.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="store-newer"):
        {"vault": open_vault, "release": open_store}[store](home)
    assert path.read_bytes() == before


@pytest.mark.parametrize("module", TABLES, ids=lambda module: module.__name__)
def test_tables_change_only_with_a_step(module):
    schema = module._SCHEMA
    said = hashlib.sha256(" ".join(schema.tables.split()).encode()).hexdigest()[:12]
    assert (schema.version, said) == TABLES[module]
