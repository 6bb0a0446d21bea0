"""The schedules; off until somebody switches them on in the UI."""

from datetime import UTC, datetime

import dagster as dg

from pipelines.jobs import monitoring, retraining
from pipelines.retraining import tick
from preceptor.settings import MonitoringSettings
from resources import WorkspaceResource


# The shipped default. Definitions read no file when they load; another cron is set here or in a deployment's copy.
@dg.schedule(
    job=retraining,
    cron_schedule=MonitoringSettings().retrain_cron,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Asks for a retraining on the first of every month. What the policy withholds then, the sensor "
    "retraining_triggers starts as soon as it may.",
)
def retrain_monthly(
    context: dg.ScheduleEvaluationContext, workspace: WorkspaceResource
) -> dg.RunRequest | dg.SkipReason:
    return tick(context.instance, workspace, datetime.now(UTC), due=context.scheduled_execution_time)


watch_daily = dg.ScheduleDefinition(
    name="watch_daily",
    job=monitoring,
    cron_schedule="30 2 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Drift and production every night; the retraining sensor reads the reports.",
)

SCHEDULES = [retrain_monthly, watch_daily]
