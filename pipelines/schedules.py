"""The schedules; off until somebody switches them on in the UI."""

from __future__ import annotations

import dagster as dg

from pipelines.jobs import monitoring, retraining
from preceptor.settings import MonitoringSettings

# The shipped default. Definitions read no file when they load; another cron is set here or in a deployment's copy.
retrain_monthly = dg.ScheduleDefinition(
    name="retrain_monthly",
    job=retraining,
    cron_schedule=MonitoringSettings().retrain_cron,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Retraining on the first of every month, from whatever was de-identified until then.",
)

watch_daily = dg.ScheduleDefinition(
    name="watch_daily",
    job=monitoring,
    cron_schedule="30 2 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Drift every night; the retraining sensor reads its report.",
)

SCHEDULES = [retrain_monthly, watch_daily]
