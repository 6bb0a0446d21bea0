"""What is kept open from click to click must not outlive its file."""

from __future__ import annotations

import threading

from preceptor.release import users
from preceptor.release.store import open_store
from preceptor.review.opened import Opened
from preceptor.vault import open_vault
from preceptor.vault.audit import DATABASE
from tests.release.conftest import PASSWORD


class File:
    def __init__(self, path):
        path.touch()
        self.closed = False

    def close(self):
        self.closed = True


def test_a_thread_keeps_its_own_until_the_file_is_another(tmp_path):
    opened, path, elsewhere = Opened(), tmp_path / "a.db", []

    def ask():
        return opened.of(path, lambda: File(path))

    first = ask()
    assert ask() is first
    thread = threading.Thread(target=lambda: elsewhere.append(ask()))
    thread.start()
    thread.join()
    assert elsewhere[0] is not first
    (tmp_path / "b.db").touch()
    (tmp_path / "b.db").replace(path)  # as a backup is put back
    second = ask()
    assert second is not first and first.closed and not second.closed
    path.unlink()
    assert ask() is not second and second.closed


def test_an_audit_log_that_vanishes_while_the_app_runs_is_noted(house):
    house.note("rita", "read", "a test", {})
    (house.workspace.vault / DATABASE).unlink()
    house.note("rita", "read", "after it was gone", {})
    vault = open_vault(house.workspace)
    entries = [(e.action, e.purpose) for e in vault.audit.entries()]
    vault.close()
    assert ("read", "after it was gone") in entries
    assert "damaged" in {action for action, _ in entries}


def test_somebody_who_is_added_or_disabled_is_known_at_the_next_click(house):
    assert house.person("newcomer") is None
    store = open_store(house.workspace)
    users.add(store, "newcomer", "reviewer", PASSWORD, actor="test")
    assert house.person("newcomer").disabled_by is None
    users.disable(store, "newcomer", actor="test")
    store.close()
    assert house.person("newcomer").disabled_by is not None
