"""`preceptor monitor`: drift, and what it would trigger."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from preceptor.cli._common import emit, json_option, settings, workspace


@click.command()
@json_option
def monitor(as_json: bool) -> None:
    """Measure how far new batches differ from the champion's data, and say what would start a retraining."""
    from preceptor.consent import unusable_patients
    from preceptor.monitoring.stage import measure_drift, triggers
    from preceptor.release.registry import tracking_of
    from preceptor.release.stage import champion_data
    from preceptor.vault import open_vault

    ours, given = workspace(), settings()
    reference = champion_data(tracking_of(ours), ours, given)
    vault = open_vault(ours)
    batches, unusable = vault.batches(), unusable_patients(vault, given.intake)
    vault.close()
    report = measure_drift(ours, given.monitoring, batches, reference, unusable)
    report["triggers"] = triggers(ours.monitoring, given.monitoring, datetime.now(UTC))

    def said() -> str:
        if report["reference"] is None:
            return "There is no champion yet, so nothing to compare with."
        lines = [f"compared with {report['reference']}: {report['new_documents']} new documents"]
        lines += [f"  {name}: PSI {value} (limit {report['limit']})" for name, value in report["psi"].items()]
        lines += [f"would retrain: {name}, {why}" for name, why in report["triggers"].items()]
        return "\n".join(lines)

    emit(report, as_json, said)
