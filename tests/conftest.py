"""What all tests share."""

from __future__ import annotations

import os

# Before any library is imported: tests reach no hub, send no statistics and draw no bars.
os.environ.update(
    HF_HUB_OFFLINE="1",
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
    GX_ANALYTICS_ENABLED="false",
    TOKENIZERS_PARALLELISM="false",
    TQDM_DISABLE="1",
    # Two tests run at a time: threads that wait actively for a core take it from those they wait for.
    OMP_WAIT_POLICY="PASSIVE",
)
for name in (
    "PRECEPTOR_HOME",
    "PRECEPTOR_PROFILE",
    "PRECEPTOR_CONFIG",
    "PRECEPTOR_MASTER_KEY",
    "DAGSTER_HOME",
    "PRECEPTOR_TRACKING_URI",
    "PRECEPTOR_TRACKING_ARTIFACTS",
):
    os.environ.pop(name, None)
