"""`preceptor data review`: examples that a clinician should look at, and what they say of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.errors import UsageError

if TYPE_CHECKING:
    from preceptor.records import Example


def _examples() -> tuple[str, list[Example]]:
    """The newest curated version and its examples."""
    from preceptor.curation.curate import STAGE
    from preceptor.tables import EXAMPLES, read_examples
    from preceptor.versions import newest

    version = newest(workspace().data, STAGE)
    return version.name, read_examples(version.path / EXAMPLES)


def _named(example_id: str) -> Example:
    name, found = _examples()
    for example in found:
        if example.example_id == example_id:
            return example
    raise UsageError(
        f"There is no example {example_id} in {name}: `preceptor data review list` shows what there is."
    )


@click.group()
def review() -> None:
    """Examples to look at: is the reference what a good clinician would have written?"""


@review.command("list")
@click.option("--use-case", "use_cases", multiple=True, metavar="NAME", help="Only these use cases.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Examples shown.")
@json_option
def list_(use_cases: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Show what nobody has reviewed yet, test cases first: references, no text."""
    from preceptor.cli.deid_review import release_store
    from preceptor.curation.reviews import decisions, queue

    version, found = _examples()
    said = decisions(release_store(), workspace().data)
    done = {review.shown for reviews in said.values() for review in reviews}
    left = [e for e in queue(found, done) if not use_cases or e.task in use_cases]
    rows = [
        {"example": e.example_id, "use_case": e.task, "split": e.split, "documents": list(e.document_refs)}
        for e in left[:limit]
    ]
    shown = [(e.example_id, e.task, e.split, ", ".join(e.document_refs)) for e in left[:limit]]
    text = columns(shown, ("example", "use case", "split", "documents")) + f"\n{len(left)} are left."
    emit(
        {"version": version, "left": len(left), "open": rows},
        as_json,
        text if rows else "Nothing is left to look at.",
    )


@review.command()
@click.argument("example")
def show(example: str) -> None:
    """Print the question and the reference answer of one example (de-identified text)."""
    found = _named(example)
    by = f", reviewed by {found.reviewer}" if found.reviewer else ""
    click.echo(
        f"{found.example_id} ({found.split}{by})\n\n{found.prompt}\n\n--- reference ---\n{found.answer}"
    )


@review.command()
@click.argument("example")
@click.option("--verdict", type=click.Choice(["accept", "correct", "reject"]), required=True)
@click.option(
    "--answer",
    "answer_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text file with the corrected reference.",
)
@click.option(
    "--as", "as_user", required=True, metavar="USER", help="Who signs: reviewer, approver or admin."
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--reason", default="", metavar="TEXT", help="Signed along. Name no patient.")
@json_option
def decide(
    example: str,
    verdict: Literal["accept", "correct", "reject"],
    answer_file: Path | None,
    as_user: str,
    password_stdin: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Sign what you think of an example. A correction becomes the reference, a rejected one is not used, from the next
    curated version on."""
    from preceptor.cli.deid_review import release_store
    from preceptor.cli.users import read_password
    from preceptor.curation import reviews
    from preceptor.vault import open_vault

    found = _named(example)
    answer = answer_file.read_text(encoding="utf-8") if answer_file else None
    record = None
    if answer is not None:
        vault = open_vault(workspace(), settings().vault)
        try:
            record = vault.record(found.patient_ref, why="leak check of a correction")
        finally:
            vault.close()
    password = read_password(password_stdin, confirm=False)
    event = reviews.decide(
        release_store(), workspace().data, found, verdict, record,
        as_user=as_user, password=password, answer=answer, reason=reason,
    )  # fmt: skip
    facts = {"event": event.id, "example": example, "by": event.actor, "at": event.at, **event.payload}
    emit(facts, as_json, f"{event.actor}: {verdict} {example} (event {event.id}). The next run follows it.")
