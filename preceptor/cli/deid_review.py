"""`preceptor deid review`: documents that a person should look at, and what they say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.errors import UsageError
from preceptor.privacy import SAMPLE

if TYPE_CHECKING:
    from preceptor.privacy.reviews import Item
    from preceptor.release.store import Store
    from preceptor.versions import DatasetVersion

_batch = click.option("--batch", help="[default: the newest]")
_sample = click.option("--sample", type=click.IntRange(min=0), default=SAMPLE, show_default=True, help="Documents drawn for the miss rate.")  # fmt: skip


def release_store() -> Store:
    """The release record of this home."""
    from preceptor.release.store import open_store

    return open_store(workspace(), settings().vault)


def clean_version(batch: str | None) -> tuple[str, DatasetVersion]:
    """A batch of this home, the newest if none is named, and its clean version."""
    from preceptor.privacy.looking import clean_version as found

    return found(workspace().data, batch)


@click.group()
def review() -> None:
    """Documents to look at: withheld by the leak check, drawn for the miss rate, or with a word nobody knows."""


@review.command("list")
@_batch
@_sample
@json_option
def list_(batch: str | None, sample: int, as_json: bool) -> None:
    """Show what nobody has looked at yet: references and rules, no text."""
    from preceptor.privacy.reviews import decisions, items, open_items

    batch, version = clean_version(batch)
    found = open_items(items(version, sample), decisions(release_store(), batch))
    rows = [
        {
            "document": item.document_ref,
            "patient": item.patient_ref,
            "reason": item.reason,
            "rules": item.rules,
        }
        for item in found
    ]
    shown = [
        (
            item.document_ref,
            item.patient_ref,
            item.reason,
            ", ".join(f"{k} {n}" for k, n in item.rules.items()),
        )
        for item in found
    ]
    emit(
        {"batch": batch, "version": version.name, "open": rows},
        as_json,
        columns(shown, ("document", "patient", "reason", "rules")) if rows else "Nothing is left to look at.",
    )


@review.command()
@click.argument("document")
@_batch
def show(document: str, batch: str | None) -> None:
    """Print one de-identified document, stand-ins between ⟦ ⟧, doubtful places between «« »». The vault notes it.

    It may hold an identifier: that is what you look for. Do this only where nobody looks over your shoulder.
    """
    from preceptor.privacy.looking import look_at
    from preceptor.privacy.reviews import marked

    batch, version = clean_version(batch)
    click.echo(marked(look_at(workspace(), settings(), batch, version, document)))


@review.command()
@click.argument("document")
@click.option("--verdict", type=click.Choice(["clean", "leak"]), required=True)
@click.option("--missed", type=click.IntRange(min=0), default=0, help="Identifiers left in it.")
@click.option("--as", "as_user", required=True, metavar="USER", help="Who signs: reviewer, privacy or admin.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--reason", default="", metavar="TEXT", help="Signed along. Name no patient.")
@_batch
@_sample
@json_option
def decide(
    document: str,
    verdict: Literal["clean", "leak"],
    missed: int,
    as_user: str,
    password_stdin: bool,
    reason: str,
    batch: str | None,
    sample: int,
    as_json: bool,
) -> None:
    """Sign what you saw. `clean` lets a withheld document go on, `leak` withholds any, from the next run on."""
    from preceptor.cli.users import read_password
    from preceptor.privacy import reviews

    batch, version = clean_version(batch)
    item: Item | None = next((i for i in reviews.items(version, sample) if i.document_ref == document), None)
    if item is None:
        raise UsageError(
            f"{document} is not in the review queue of batch {batch}: `preceptor deid review list`."
        )
    password = read_password(password_stdin, confirm=False)
    event = reviews.decide(
        release_store(), item, batch, version, verdict, missed, as_user=as_user, password=password, reason=reason
    )  # fmt: skip
    facts = {"event": event.id, "document": document, "by": event.actor, "at": event.at, **event.payload}
    emit(facts, as_json, f"{event.actor} found {document} {verdict} (event {event.id}).")
