"""`preceptor init`: a commented configuration for documents of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from preceptor.cli._common import columns, emit, json_option, program, prose


@click.command()
@click.argument("notes", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--records",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What the EHR knows (JSONL or CSV) [default: records.jsonl among NOTES].",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("preceptor-start"),
    show_default=True,
    help="Where configuration, recipe and home are made.",
)
@json_option
def init(notes: Path, records: Path | None, folder: Path, as_json: bool) -> None:
    """Write a commented configuration and recipe for the documents in NOTES, and say what so many can and cannot give.

    No document is read yet, and nothing leaves its place.
    """
    from preceptor import starting
    from preceptor.settings import load_settings
    from preceptor.training.jobs import cuda_devices

    found = starting.survey(notes, records)
    written = starting.write_start(notes, found.records, folder, cuda_devices() > 0)
    given = load_settings(config=written[0])
    said = starting.outlook(found, given.curation, given.gates)
    home = (folder / "home").resolve()
    commands = starting.next_commands(written[0].resolve(), home, program())
    facts: dict[str, Any] = {
        "files": found.files,
        "documents": found.documents,
        "archives": found.archives,
        "patients": found.patients,
        "written": [str(path) for path in written],
        "outlook": said,
        "next": list(commands),
    }

    def table() -> str:
        more = f", and what is in {found.archives} archives" if found.archives else ""
        kinds = columns([(kind, f"{count:,}") for kind, count in found.files.items()], ("files", ""))
        return "\n".join(
            [
                kinds,
                "",
                f"{found.documents:,} documents{more}. Records: {found.records or 'none'}.",
                "",
                *(prose(f"- {line}", "  ") for line in said),
                "",
                "Written: " + ", ".join(facts["written"]),
                "",
                *(f"    {command}" for command in commands),
            ]
        )

    emit(facts, as_json, table)
