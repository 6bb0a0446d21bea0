"""The hash chain over the release record, and the check that tells which row was changed.

Every event carries an HMAC-SHA-256, under a key derived from the master key, of its own content and of the
hash of the event before it. Whoever edits the SQLite file without that key can neither change a row, nor
insert or remove one, nor re-hash the rest. Approvals and rejections are signed by a person besides (Ed25519,
RFC 8032), under a key that only that person's password opens: the operator who holds the master key cannot
sign for them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from preceptor.errors import PreceptorError

GENESIS = "0" * 64
SIGNED_KINDS = frozenset(
    {
        "approved",
        "rejected",
        "deid_reviewed",
        "deid_signed",
        "example_reviewed",
        "provider_approved",
        "version_reviewed",
    }
)


class RecordBroken(PreceptorError):
    """The release record was changed from outside; nothing is decided on it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the record. `payload_text` is the JSON as it is stored, since that is what was hashed."""

    id: int
    at: str
    kind: str
    subject: str
    actor: str
    payload_text: str
    prev_hash: str
    hash: str
    signature: bytes | None

    @property
    def payload(self) -> dict[str, Any]:
        try:
            return json.loads(self.payload_text)
        except ValueError:
            raise RecordBroken(
                f"Event {self.id} of the release record was changed from outside: its payload is no JSON. "
                "See `preceptor release verify`, and restore the record from a backup."
            ) from None


@dataclass(frozen=True, slots=True)
class Person:
    """A user as the events tell it; `disabled_by` is the id of the event that ended the account."""

    name: str
    role: str
    public_key: bytes
    disabled_by: int | None = None
    printed_name: str = ""

    def may_sign(self, event: Event, roles: frozenset[str]) -> bool:
        """Whether this person held one of `roles` and was not disabled when the event was written."""
        return self.role in roles and (self.disabled_by is None or event.id < self.disabled_by)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the record: `where` is `event 7` or `user NAME` or `head`."""

    where: str
    rule: str
    text: str


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def signed_bytes(at: str, kind: str, subject: str, actor: str, payload_text: str, prev_hash: str) -> bytes:
    """What a person signs: the event with its place in the chain, so that a signature cannot be moved."""
    return b"preceptor/release/1\0" + canonical([at, kind, subject, actor, payload_text, prev_hash]).encode()


def event_hash(
    key: bytes,
    *,
    id: int,
    at: str,
    kind: str,
    subject: str,
    actor: str,
    payload_text: str,
    prev_hash: str,
    signature: bytes | None,
) -> str:
    """HMAC-SHA-256 in hex of an event's whole content."""
    sealed = signature.hex() if signature is not None else None
    text = canonical([id, at, kind, subject, actor, payload_text, prev_hash, sealed])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def head_mac(key: bytes, id: int, hash: str) -> str:
    """The MAC of the note, kept outside the database, of how far the record had come."""
    return hmac.new(key, f"head {id} {hash}".encode(), hashlib.sha256).hexdigest()


def signature_holds(event: Event, public_key: bytes) -> bool:
    """Whether the event's signature was made by the owner of `public_key` over exactly this event."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if event.signature is None:
        return False
    message = signed_bytes(
        event.at, event.kind, event.subject, event.actor, event.payload_text, event.prev_hash
    )
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(event.signature, message)
    except InvalidSignature:
        return False
    return True


def people(events: Iterable[Event]) -> dict[str, Person]:
    """Everybody who was ever added, with the key and role that the chain holds (not the users table)."""
    known: dict[str, Person] = {}
    for event in events:
        if event.kind == "user_added":
            payload = event.payload
            known[payload["name"]] = Person(
                payload["name"],
                payload["role"],
                bytes.fromhex(payload["public_key"]),
                None,
                payload.get("printed_name", ""),
            )
        elif event.kind == "user_disabled":
            name = event.payload["name"]
            if name in known:
                known[name] = replace(known[name], disabled_by=event.id)
    return known


def check(events: list[Event], key: bytes) -> list[Problem]:
    """Return what is wrong with the chain and its signatures, in the order of the rows; else empty."""
    problems: list[Problem] = []
    previous, expected_id = GENESIS, 1
    intact: list[Event] = []
    for event in events:
        where = f"event {event.id}"
        found = len(problems)
        if event.id != expected_id:
            problems.append(
                Problem(
                    where, "sequence", f"event {expected_id} should stand here: rows are missing or moved."
                )
            )
        if event.prev_hash != previous:
            problems.append(Problem(where, "link", "it does not follow from the event before it."))
        if not hmac.compare_digest(_hash_of(event, key), event.hash):
            problems.append(
                Problem(
                    where, "hash", "its content is not what was recorded (or this is another master key)."
                )
            )
        if len(problems) == found:
            intact.append(event)
        previous, expected_id = event.hash, event.id + 1
    known = people(intact)
    for event in intact:
        if event.kind not in SIGNED_KINDS and event.signature is None:
            continue
        signer = known.get(event.actor)
        if signer is None or not signature_holds(event, signer.public_key):
            problems.append(
                Problem(f"event {event.id}", "signature", f"the signature is not that of {event.actor}.")
            )
    return sorted(problems, key=lambda p: int(p.where.split()[1]))


def _hash_of(event: Event, key: bytes) -> str:
    return event_hash(
        key,
        id=event.id,
        at=event.at,
        kind=event.kind,
        subject=event.subject,
        actor=event.actor,
        payload_text=event.payload_text,
        prev_hash=event.prev_hash,
        signature=event.signature,
    )
