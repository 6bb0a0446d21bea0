"""`preceptor monitor retraining`: what was decided about retraining, and what would be now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace

if TYPE_CHECKING:
    from preceptor.monitoring.considering import Look


@click.command()
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="Decisions shown.")
@json_option
def retraining(last: int, as_json: bool) -> None:
    """Show what was decided about retraining and what came of it, and what would be decided now.

    Nothing is started and nothing written down. A run that somebody started in Dagster by hand is known here once the sensor
    has seen it.
    """
    from preceptor.monitoring.retraining_record import open_record

    with open_record(workspace().monitoring) as record:
        decided = [entry.facts() for entry in record.entries()[-last:]]
    found = look_now()
    now = {
        "would_start": found.decision.start,
        "causes": {reason.cause: reason.text for reason in found.decision.causes},
        "withheld_by": found.decision.withheld_by or None,
        "why": found.decision.why,
    }
    emit({"now": now, "decisions": decided}, as_json, lambda: _said(now, decided))


def look_now() -> Look:
    """What would be decided about this workspace now."""
    from preceptor.locks import held
    from preceptor.monitoring.considering import look
    from preceptor.monitoring.facts import open_sources
    from preceptor.monitoring.retraining_record import open_record
    from preceptor.release.registry import tracking_of

    ours = workspace()
    running = "`preceptor run` is at work" if held(ours.home / "run.lock") else ""
    with (
        open_record(ours.monitoring) as record,
        open_sources(ours, settings(), tracking_of(ours)) as sources,
    ):
        return look(sources, record, datetime.now(UTC), running)


def _said(now: dict[str, Any], decided: list[dict[str, Any]]) -> str:
    lines = []
    if decided:
        rows = [
            (
                entry["decision"],
                entry["at"][:16].replace("T", " "),
                ", ".join(entry["causes"]),
                "started" if entry["started"] else f"withheld: {entry['withheld_by']}",
                (entry["run_id"] or "")[:8],
                entry["outcome"] or ("at work" if entry["started"] else ""),
                entry["version"],
            )
            for entry in decided
        ]
        lines.append(
            columns(rows, ("decision", "when (UTC)", "causes", "", "run", "what came of it", "version"))
        )
        lines += [f"{entry['decision']}: {entry['note']}" for entry in decided if entry["note"]]
    else:
        lines.append("Nothing was decided yet.")
    would = "a retraining would start" if now["would_start"] else f"none would start ({now['withheld_by']})"
    lines += ["", f"Now {would}: {now['why']}"]
    lines += [f"  {cause}: {text}" for cause, text in now["causes"].items()]
    return "\n".join(lines)
