"""`preceptor intake`: documents into the vault."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.progress import reporter


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--records", type=click.Path(dir_okay=False, path_type=Path), help="What the EHR knows (JSONL or CSV)."
)
@click.option(
    "--source", default="batch", show_default=True, help="Where they come from; begins the batch's name."
)
@json_option
def intake(paths: tuple[Path, ...], records: Path | None, source: str, as_json: bool) -> None:
    """Bring files and folders into the encrypted vault.

    Every file is accepted, recognised as a duplicate, or quarantined with a rule; the same call again finishes one
    that was killed.
    """
    from preceptor.documents.intake import intake as take_in
    from preceptor.vault import open_vault

    limits = settings().intake
    vault = open_vault(workspace())
    try:
        report = take_in(paths, vault, limits, records=records, source=source, on_progress=reporter("files"))
    finally:
        vault.close()

    def said() -> str:
        lines = [
            f"batch {report.batch}: {report.accepted} files accepted ({report.documents} documents), "
            f"{report.duplicates} duplicates, {len(report.quarantined)} quarantined"
        ]
        if report.quarantined:
            rows = [(q["file"], q["rule"], q["remedy"]) for q in report.quarantined]
            lines += ["", columns(rows, ("file", "rule", "what to do"))]
        return "\n".join(lines)

    emit(asdict(report), as_json, said)
