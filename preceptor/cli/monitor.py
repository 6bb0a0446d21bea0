"""`preceptor monitor`: drift, what production was like, and what both would trigger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.cli.monitor_retraining import look_now, retraining


@click.group(invoke_without_command=True)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The first day (UTC) that the report on traffic is about; without it the last week.",
)
@json_option
@click.pass_context
def monitor(ctx: click.Context, since: datetime | None, as_json: bool) -> None:
    """Measure how far new batches differ from the champion's data, and how production has gone up to yesterday: raise and
    clear alarms, write the report, and say what would start a retraining."""
    if ctx.invoked_subcommand is not None:
        return
    from preceptor.consent import unusable_patients
    from preceptor.monitoring.stage import measure_drift
    from preceptor.monitoring.traffic_report import PAGE
    from preceptor.monitoring.watch import watch_traffic
    from preceptor.release.registry import tracking_of
    from preceptor.release.stage import champion_data
    from preceptor.release.store import open_store
    from preceptor.vault import open_vault

    ours, given = workspace(), settings()
    tracking = tracking_of(ours)
    reference = champion_data(tracking, ours, given)
    vault = open_vault(ours)
    batches, unusable = vault.batches(), unusable_patients(vault, given.intake)
    vault.close()
    report = measure_drift(ours, given.monitoring, batches, reference, unusable)
    record = open_store(ours)
    try:
        traffic = watch_traffic(ours, given, tracking, record, since=since.date() if since else None)
    finally:
        record.close()
    # After the alarms of today, which are causes too.
    report["triggers"] = {reason.cause: reason.text for reason in look_now().decision.causes}

    def said() -> str:
        if report["reference"] is None:
            lines = ["There is no champion yet, so nothing to compare with."]
        else:
            lines = [f"compared with {report['reference']}: {report['new_documents']} new documents"]
        lines += [f"  {name}: PSI {value} (limit {report['limit']})" for name, value in report["psi"].items()]
        lines += [f"calls for a retraining: {name}, {why}" for name, why in report["triggers"].items()]
        return "\n".join([*lines, "", *_said(traffic), f"report: {ours.monitoring / PAGE}"])

    emit(report | {"traffic": traffic}, as_json, said)


monitor.add_command(retraining)


def _said(traffic: dict[str, Any]) -> list[str]:
    from preceptor.monitoring.alarms import shown

    window = traffic["window"]
    if not traffic["log_begins"]:
        return ["There is no traffic yet."]
    rows = [
        (
            name,
            facts["requests"],
            shown(facts["seconds"]["p50"], "seconds"),
            shown(facts["seconds"]["p95"], "seconds"),
            facts["outcomes"].get("error", 0) + facts["outcomes"].get("timeout", 0),
            shown(facts["kept"]["mean"], "share"),
            shown(facts["rating"]["mean"], "rating"),
            shown(facts["leaks"]["share"], "share"),
        )
        for name, facts in traffic["subjects"].items()
    ]
    header = ("traffic", "requests", "median", "95 %", "errors", "kept", "rating", "new identifiers")
    lines = [f"{window['first']} to {window['last']}", columns(rows, header)]
    lines += [f"alarm ({alarm['severity']}): {alarm['text']}" for alarm in traffic["alarms"]]
    if not traffic["alarms"]:
        lines.append("no alarm")
    if done := traffic["rollback"]:
        back = f"rolled back to {done['champion']}" if done["champion"] else f"not rolled back: {done['why']}"
        lines.append(f"policy monitoring.rollback: {back}")
    return lines
