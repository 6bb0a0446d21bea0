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
    """Bring files, folders and archives into the encrypted vault.

    Every file, and every member of an archive, is accepted, recognised as a duplicate, refused by a rule of selection
    or consent, or quarantined with a rule; the same call again finishes one that was killed.
    """
    from preceptor.documents.intake import intake as take_in
    from preceptor.vault import open_vault

    limits = settings().intake
    vault = open_vault(workspace(), settings().vault)
    try:
        report = take_in(paths, vault, limits, records=records, source=source, on_progress=reporter("files"))
    finally:
        vault.close()

    def said() -> str:
        counts = [
            ("accepted", report.accepted), ("duplicates", report.duplicates),
            ("refused by selection or consent", report.refused_files), ("quarantined", report.quarantined_files),
            ("all", report.files),
        ]  # fmt: skip
        lines = [
            f"batch {report.batch}: {report.documents} new documents",
            "",
            columns([(name, str(count)) for name, count in counts], ("files", "")),
        ]
        if report.refused:
            refusals = [(rule, str(count)) for rule, count in sorted(report.refused.items())]
            lines += ["", columns(refusals, ("refused by rule", "documents"))]
        if report.quarantined:
            rows = [(q["file"], q["rule"], q["remedy"]) for q in report.quarantined]
            lines += ["", columns(rows, ("file", "rule", "what to do"))]
        return "\n".join(lines)

    emit(asdict(report), as_json, said)
