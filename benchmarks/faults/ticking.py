"""What Dagster's daemon does, once and in the foreground: ask a sensor, and work through the runs that it asks for.

    python -m benchmarks.faults.ticking retraining_triggers

Home, profile and configuration come from the environment, as for `preceptor`. Prints one JSON document. The runs are processed
here, one after the other, so that killing this process kills sensor, daemon and run together, as a power cut does.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

import dagster as dg

_RUN_KEY = "dagster/run_key"
_QUIETLY = {"loggers": {"console": {"config": {}}}}  # a line a stage


def tick(instance: dg.DagsterInstance, name: str) -> dict[str, Any]:
    """Evaluate a sensor of the definitions and execute what it asks for and has not been started; return what was said."""
    from pipelines.definitions import defs
    from resources import WorkspaceResource

    sensor = defs.resolve_sensor_def(name)
    with dg.build_sensor_context(
        instance=instance, definitions=defs, resources={"workspace": WorkspaceResource()}
    ) as context:
        said = sensor(context)
    if isinstance(said, dg.SkipReason):
        return {"skipped": said.skip_message, "runs": []}
    asked = said if isinstance(said, dg.SensorResult) else dg.SensorResult(run_requests=[said])
    for change in asked.dynamic_partitions_requests or ():
        instance.add_dynamic_partitions(change.partitions_def_name, list(change.partition_keys))
    job = defs.resolve_job_def(sensor.job_name)
    runs = []
    for request in asked.run_requests or ():
        if instance.get_run_records(dg.RunsFilter(tags={_RUN_KEY: request.run_key})):
            continue
        done = job.execute_in_process(
            instance=instance,
            partition_key=request.partition_key,
            run_config={**(request.run_config or {}), **_QUIETLY},
            asset_selection=list(request.asset_selection) if request.asset_selection else None,
            tags={**request.tags, _RUN_KEY: request.run_key, "dagster/sensor_name": name},
            raise_on_error=False,
        )
        runs.append({"key": request.run_key, "tags": dict(request.tags), **_outcome(done)})
    return {"skipped": None, "runs": runs}


def _outcome(done: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Whether a run succeeded, the facts of its release steps, and where it failed."""
    said = {}
    for step in ("candidate_version", "champion"):
        for made in done.asset_materializations_for_node(step) if _ran(done, step) else ():
            said |= {key: value.value for key, value in made.metadata.items() if isinstance(value.value, str)}
    failed = [
        f"{event.step_key}: {event.step_failure_data.user_failure_data.description}"
        if event.step_failure_data.user_failure_data
        else str(event.step_key)
        for event in done.all_events
        if event.is_step_failure
    ]
    steps = [event.step_key for event in done.all_events if event.is_step_success]
    return {"success": done.success, "steps": steps, "failed": failed, "said": said}


def _ran(done: dg.ExecuteInProcessResult, step: str) -> bool:
    return any(event.step_key == step and event.is_step_success for event in done.all_events)


def main() -> None:
    warnings.filterwarnings("ignore")
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print; only the answer may be there
    with dg.DagsterInstance.get() as instance:
        found = tick(instance, sys.argv[1])
    print(json.dumps(found), file=answer, flush=True)


if __name__ == "__main__":
    main()
