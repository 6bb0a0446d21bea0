"""`preceptor release`: model versions, who approved them, and which is in use."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.cli.users import read_password
from preceptor.errors import GateRefused, UsageError

if TYPE_CHECKING:
    from preceptor.release.chain import Event
    from preceptor.release.registry import Tracking
    from preceptor.release.store import Store
    from preceptor.serving.rollout import Rollout

_signing = [
    click.argument("ref"),
    click.option("--as", "as_user", required=True, metavar="USER", help="Who signs."),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option("--reason", required=True, metavar="TEXT", help="Why; signed along. Name no patient."),
    json_option,
]


def _open() -> tuple[Tracking, Store]:
    from preceptor.release.registry import tracking_of
    from preceptor.release.store import open_store

    return tracking_of(workspace()), open_store(workspace())


def _signs(function: Any) -> Any:
    for option in reversed(_signing):
        function = option(function)
    return function


@click.group()
def release() -> None:
    """Model versions: approve, promote, roll back, verify."""


@release.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show all model versions with their aliases and status."""
    from preceptor.release.candidates import overview

    rows = overview(*_open(), settings().release.required_approvals)
    shown = [
        (
            r["ref"],
            r["status"],
            ", ".join(r["aliases"]),
            ", ".join(r["approvals"]),
            r["created"][:16],
            r["digest"][:12],
        )
        for r in rows
    ]
    emit(
        rows,
        as_json,
        columns(shown, ("version", "status", "aliases", "approved by", "registered", "digest"))
        if rows
        else "No model version yet; `preceptor run` makes the first.",
    )


@release.command()
@click.argument("ref")
@json_option
def show(ref: str, as_json: bool) -> None:
    """Show one version: status, gate, approvals, data set versions, and what it was made with."""
    from preceptor.release.candidates import overview
    from preceptor.release.registry import bundle_of, resolve

    tracking, store = _open()
    info = resolve(tracking, ref)
    required = settings().release.required_approvals
    row = next(r for r in overview(tracking, store, required, info.name) if r["version"] == info.version)
    found = row | {
        "run_id": info.run_id,
        "data": info.data,
        "required_approvals": required,
        "bundle": bundle_of(tracking, info),
        "history": [_event_facts(event) for event in store.events(subject=info.ref)],
    }
    emit(found, as_json)


@release.command()
@_signs
def approve(ref: str, as_user: str, password_stdin: bool, reason: str, as_json: bool) -> None:
    """Sign that REF may be the champion. For approvers and admins."""
    from preceptor.release import signatures

    tracking, store = _open()
    password = read_password(password_stdin, confirm=False)
    event = signatures.approve(tracking, store, ref, as_user=as_user, password=password, reason=reason)
    said = f"{event.actor} approved {event.subject} (event {event.id}). Next: `preceptor release promote`."
    emit(_event_facts(event), as_json, said)


@release.command()
@_signs
def reject(ref: str, as_user: str, password_stdin: bool, reason: str, as_json: bool) -> None:
    """Sign that REF shall never be the champion. For approvers, admins and privacy officers."""
    from preceptor.release import signatures

    tracking, store = _open()
    password = read_password(password_stdin, confirm=False)
    event = signatures.reject(tracking, store, ref, as_user=as_user, password=password, reason=reason)
    emit(_event_facts(event), as_json, f"{event.actor} rejected {event.subject} (event {event.id}).")


@release.command()
@click.argument("ref", required=False)
@json_option
def promote(ref: str | None, as_json: bool) -> None:
    """Make REF the champion, or without REF whatever has its approvals, oldest first."""
    from preceptor.release import promotion
    from preceptor.release.registry import CANDIDATE, CHAMPION, get_alias
    from preceptor.release.users import operator
    from preceptor.serving.rollout import roll_out

    tracking, store = _open()
    now = settings().release
    refs = [ref] if ref else [item.ref for item in promotion.pending(store, required=now.required_approvals)]
    if not refs:
        # With nothing approved the candidate is refused and says why; without a candidate the champion stays.
        for alias in (CANDIDATE, CHAMPION):
            if get_alias(tracking, now.model_name, alias) is not None:
                refs = [f"{now.model_name}@{alias}"]
                break
        else:
            raise GateRefused(
                "There is no candidate to promote; `preceptor run` makes one. Nothing was changed."
            )
    for each in refs:
        found = roll_out(workspace(), settings(), tracking, store, each, actor=operator())
    emit(found.facts(), as_json, _rollout_text(found))


@release.command()
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the record. Name no patient.")
@click.option("--to", metavar="REF", help="An earlier champion. [default: the previous one, NAME@previous]")
@json_option
def rollback(reason: str, to: str | None, as_json: bool) -> None:
    """Make an earlier champion the champion again; a rollback is taken back by --to the version it left."""
    from preceptor.release.users import operator
    from preceptor.serving.rollout import roll_back

    tracking, store = _open()
    found = roll_back(workspace(), settings(), tracking, store, actor=operator(), reason=reason, to=to)
    emit(found.facts(), as_json, _rollout_text(found))


@release.command()
@click.argument("ref", required=False)
@json_option
def history(ref: str | None, as_json: bool) -> None:
    """Show the tamper-evident record, or the part about one version."""
    tracking, store = _open()
    subject = ref
    if ref and "@" in ref:
        from preceptor.release.registry import resolve

        subject = resolve(tracking, ref).ref
    found = [_event_facts(event) for event in store.events(subject=subject)]
    rows = [
        (f["id"], f["at"][:19], f["kind"], f["subject"], f["actor"], f["payload"].get("reason", ""))
        for f in found
    ]
    emit(
        found,
        as_json,
        columns(rows, ("event", "at", "kind", "about", "by", "reason")) if rows else "Nothing yet.",
    )


@release.command()
@json_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Check the record's chain and signatures, and that the registry agrees with it. Exits 1 if not."""
    from preceptor.release.audit import audit

    tracking, store = _open()
    problems = store.verify()
    if not problems:
        problems = audit(tracking, store)
    events = len(store.events())
    found = {"ok": not problems, "events": events, "problems": [asdict(problem) for problem in problems]}
    lines = [f"{p.where}: {p.text} (rule {p.rule})" for p in problems]
    emit(
        found,
        as_json,
        "\n".join(lines) or f"{events} events, every hash and signature holds; the registry agrees.",
    )
    if problems:
        ctx.exit(1)


@release.command()
@click.argument("ref")
@json_option
def card(ref: str, as_json: bool) -> None:
    """Print the model card of REF as Markdown."""
    from preceptor.release.card import card_of

    tracking, store = _open()
    text = card_of(tracking, store, ref, settings().release.required_approvals)
    emit({"ref": ref, "card": text}, as_json, text)


@release.command()
@click.argument("ref")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to write. [default: among the home's reports]",
)
@json_option
def papers(ref: str, out: Path | None, as_json: bool) -> None:
    """Write the governance documents of REF as HTML and PDF: model card, source attributes, change record, and others."""
    from preceptor.papers.bundle import folder_of, write_papers
    from preceptor.papers.facts import gather

    facts = gather(workspace(), settings(), *_open(), ref)
    done = write_papers(facts, out or folder_of(workspace(), facts.ref))
    state = "are there already" if done.reused else "were written"
    emit(
        asdict(done),
        as_json,
        f"{len(done.files)} files of {done.ref} {state}: open {done.path / 'index.html'}",
    )


@release.command()
@json_option
@click.pass_context
def notify(ctx: click.Context, as_json: bool) -> None:
    """Tell webhooks and e-mail what they were not told yet; the sensor `notifications` does the same. Exits 1 if one
    did not take it."""
    from preceptor.notifications.outbox import deliver

    given = settings().notifications
    if not given.webhooks and given.email is None:
        raise UsageError(
            "The settings name nobody to tell: set notifications.webhooks or notifications.email."
        )
    _, store = _open()
    done = deliver(store, given)
    lines = [f"{done.sent} messages sent.", *done.problems.values()]
    emit(asdict(done), as_json, "\n".join(lines))
    if done.problems:
        ctx.exit(1)


def _event_facts(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": event.at,
        "kind": event.kind,
        "subject": event.subject,
        "actor": event.actor,
        "payload": event.payload,
        "hash": event.hash,
        "signed": event.signature is not None,
    }


def _rollout_text(found: Rollout) -> str:
    done = found.done
    unchanged = " already; nothing was changed" if done.event is None else ""
    before = f" (previous: {done.previous})" if done.previous else ""
    return "\n".join([f"{done.champion} is the champion{unchanged}{before}.", *found.said()])
