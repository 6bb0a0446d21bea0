"""`preceptor vault`: the state of the vault, its keys, and who read what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.errors import UsageError

if TYPE_CHECKING:
    from preceptor.vault import Vault

_NEXT_KIND = {"age": "age identity file", "local": "local key", "transit": "Transit key"}


@contextmanager
def _opened() -> Iterator[Vault]:
    from preceptor.vault import open_vault

    ours = workspace()
    if not (ours.vault / "vault.db").exists():
        raise UsageError(f"There is no vault in {ours.vault} yet: `preceptor intake` makes one.")
    opened = open_vault(ours)
    try:
        yield opened
    finally:
        opened.close()


@click.group()
def vault() -> None:
    """The encrypted vault: its state, its keys, and who read what."""


@vault.command()
@json_option
def status(as_json: bool) -> None:
    """Show what is in the vault, what keeps its keys, and how far the audit log has come."""
    from preceptor.keys import KEYRING
    from preceptor.vault.keyring import read_header
    from preceptor.vault.opening import configured_kind, provider_of

    ours, chosen = workspace(), settings().vault
    with _opened() as opened:
        header = read_header(ours.vault / KEYRING)
        entries, head = opened.audit.head()
        found: dict[str, Any] = {
            "vault": str(ours.vault),
            "provider": header.provider,
            "key": provider_of(ours, header).describe(),
            "generation": header.generation,
            **opened.totals(),
            "audit_entries": entries,
            "audit_head": head,
            "wanted_provider": configured_kind(chosen),
        }
    said = columns([(k.replace("_", " "), v) for k, v in found.items()], ("", ""))
    if found["wanted_provider"] != found["provider"]:
        said += (
            f"\n\nThe settings ask for {_NEXT_KIND[found['wanted_provider']]}s: "
            f"`preceptor vault rotate --to {found['wanted_provider']}` puts the vault under one."
        )
    emit(found, as_json, said)


@vault.command()
@json_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Open everything that is sealed, and check the audit log: exit 1 if anything is not as it was written."""
    from preceptor.vault.verification import verify as check

    with _opened() as opened:
        problems = check(opened)
        checked, (entries, head) = opened.totals(), opened.audit.head()
    found = {
        "problems": [asdict(problem) for problem in problems],
        **checked,
        "audit_entries": entries,
        "audit_head": head,
    }
    if problems:
        said = columns([(p.where, p.rule, p.text) for p in problems], ("where", "rule", "what"))
    else:
        said = (
            f"{checked['documents']} documents of {checked['patients']} patients, {checked['quarantined']} "
            f"quarantined and {entries} audit entries are as they were written.\n"
            f"Head of the audit log, to be kept elsewhere: {entries} {head}"
        )
    emit(found, as_json, said)
    if problems:
        ctx.exit(1)


@vault.command()
@click.option(
    "--to",
    metavar="KEY",
    help="age, age:IDENTITY_FILE, transit, transit:NAME, or a file for a local key [default: the same kind as now].",
)
@click.option(
    "--destroy-old",
    is_flag=True,
    help="Keep no copy of the old local key: older backups of the vault can then never be opened.",
)
@json_option
def rotate(to: str | None, destroy_old: bool, as_json: bool) -> None:
    """Put the vault under a new master key. References and surrogates stay, and no document is rewritten.

    Safe to kill and to run again. Other commands that have the vault open must be run again afterwards.
    """
    from preceptor.vault.rotation import rotate as carry_out

    done = carry_out(workspace(), to, settings().vault, keep_old=not destroy_old)
    said = f"The vault is under {done.key} (generation {done.generation}); {done.patients} patients' keys wrapped anew."
    if done.old_key:
        said += f"\nThe old key is in {done.old_key}: it opens older backups of the vault, and nothing else."
    emit(asdict(done), as_json, said)


@vault.command()
@click.option(
    "--patient", metavar="ID", help="Only what concerns this patient: an id or MRN of the EHR, or p-…."
)
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Only from then on (UTC)."
)
@json_option
def audit(patient: str | None, since: datetime | None, as_json: bool) -> None:
    """Show who read what, when and why; of a patient also after erasure."""
    with _opened() as opened:
        about = opened.refs_of(_patient_ref(opened, patient)) if patient else None
        entries = list(opened.audit.entries(since.isoformat() if since else "", about))
    found = []
    for entry in entries:
        concerned = entry.refs if about is None else tuple(r for r in entry.refs if r in about)
        found.append({**asdict(entry), "refs": concerned})
    rows = [
        (e["seq"], e["at"][:19], e["actor"], e["action"], e["purpose"], e["subject"], len(e["refs"]))
        for e in found
    ]
    said = columns(rows, ("entry", "at (UTC)", "who", "did", "why", "subject", "references"))
    emit(found, as_json, said if rows else "No entry.")


def _patient_ref(opened: Vault, patient: str) -> str:
    ref = patient if patient in opened.patients() else opened.find_patient(patient)
    if ref is None:
        raise UsageError("The vault knows no patient by this id.")
    return ref
