"""`preceptor monitor`: drift, and what it would trigger."""

from __future__ import annotations

import click

from preceptor.cli._common import emit, json_option, settings, workspace
from preceptor.cli.monitor_retraining import look_now, retraining


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def monitor(ctx: click.Context, as_json: bool) -> None:
    """Measure how far new batches differ from the champion's data, and say what would start a retraining."""
    if ctx.invoked_subcommand is not None:
        return
    from preceptor.consent import unusable_patients
    from preceptor.monitoring.stage import measure_drift
    from preceptor.release.registry import tracking_of
    from preceptor.release.stage import champion_data
    from preceptor.vault import open_vault

    ours, given = workspace(), settings()
    reference = champion_data(tracking_of(ours), ours, given)
    vault = open_vault(ours)
    batches, unusable = vault.batches(), unusable_patients(vault, given.intake)
    vault.close()
    report = measure_drift(ours, given.monitoring, batches, reference, unusable)
    report["triggers"] = {reason.cause: reason.text for reason in look_now().decision.causes}

    def said() -> str:
        if report["reference"] is None:
            return "There is no champion yet, so nothing to compare with."
        lines = [f"compared with {report['reference']}: {report['new_documents']} new documents"]
        lines += [f"  {name}: PSI {value} (limit {report['limit']})" for name, value in report["psi"].items()]
        lines += [f"calls for a retraining: {name}, {why}" for name, why in report["triggers"].items()]
        return "\n".join(lines)

    emit(report, as_json, said)


monitor.add_command(retraining)
