from __future__ import annotations

import time

import pytest

from preceptor.errors import UsageError
from preceptor.release import users
from preceptor.release.users import NotAuthenticated

from .conftest import PASSWORD, STAFF


def test_a_signature_by_the_right_password_verifies(store):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    signature = users.authenticate(store, "ana", PASSWORD).sign(b"text")
    Ed25519PublicKey.from_public_bytes(store.people()["ana"].public_key).verify(signature, b"text")


def test_wrong_password_unknown_name_and_disabled_account_are_told_apart_by_nobody(store):
    users.disable(store, "ben", actor="operator:test")
    said, took = set(), []
    for name, password in (("ana", "wrong password"), ("nobody", PASSWORD), ("ben", PASSWORD)):
        started = time.perf_counter()
        with pytest.raises(NotAuthenticated) as refused:
            users.authenticate(store, name, password)
        took.append(time.perf_counter() - started)
        said.add(str(refused.value))
    assert len(said) == 1
    assert max(took) < 4 * min(took)


def test_a_password_hash_replaced_in_the_file_opens_no_key(store):
    from argon2 import PasswordHasher

    with store.transaction() as db:
        db.execute("UPDATE users SET password_hash = ?", (PasswordHasher().hash("my own password"),))
    with pytest.raises(NotAuthenticated):
        users.authenticate(store, "ana", "my own password")


@pytest.mark.parametrize(
    ("name", "role", "password"),
    [
        ("ben", "approver", "elevenchars"),
        ("ben", "root", PASSWORD),
        ("", "approver", PASSWORD),
        ("operator:root", "approver", PASSWORD),
        ("two words", "approver", PASSWORD),
    ],
)
def test_odd_names_roles_and_short_passwords_are_refused(empty, name, role, password):
    with pytest.raises(UsageError):
        users.add(empty, name, role, password, actor="operator:test")
    assert users.list_users(empty) == [] and empty.events() == []


def test_a_user_is_disabled_once_and_listed(store):
    for _ in range(2):
        assert users.disable(store, "ana", actor="operator:test").disabled
    assert [(u.name, u.role, u.disabled) for u in users.list_users(store)] == [
        (name, role, name == "ana") for name, role in STAFF.items()
    ]
    assert [event.kind for event in store.events()] == ["user_added"] * len(STAFF) + ["user_disabled"]
    with pytest.raises(UsageError, match="nobody"):
        users.disable(store, "nobody", actor="operator:test")


def test_the_demo_approver_gets_a_password_once(empty):
    password = users.ensure_demo_approver(empty)
    assert users.ensure_demo_approver(empty) is None
    assert users.authenticate(empty, "demo-approver", password).role == "approver"
    assert len(password) >= users.MIN_PASSWORD
