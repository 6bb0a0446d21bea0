"""What `dagster` loads. Nothing here reads the vault, the registry or the network, and no heavy library is imported."""

from __future__ import annotations

import warnings

import dagster as dg

from assets import curated, deidentified, evaluation, model, monitoring, raw, release, search, synthetic
from pipelines.checks import CHECKS
from pipelines.jobs import JOBS
from pipelines.schedules import SCHEDULES
from pipelines.sensors import SENSORS
from pipelines.stage_log import stage_log
from resources import WorkspaceResource

warnings.filterwarnings("ignore", category=dg.PreviewWarning)

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [raw, deidentified, curated, synthetic, model, search, evaluation, release, monitoring]
    ),
    asset_checks=CHECKS,
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources={"workspace": WorkspaceResource(), "pipes": dg.PipesSubprocessClient()},
    executor=dg.in_process_executor,
    loggers={"console": stage_log},
)
