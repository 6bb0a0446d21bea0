"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

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

# Files of minutes, the longest first: begun last, one of them would keep a process busy while the others have nothing left
# (`--no-loadscope-reorder`: pytest-xdist would begin with the files of most tests, which are quick ones).
_LONGEST = (
    "tests/pipeline/test_dag.py",
    "tests/training/test_training.py",
    "tests/training/test_search.py",
    "tests/synthesis/test_judge.py",
    "tests/release/test_story.py",
    "tests/synthesis/test_synthesis.py",
    "tests/training/test_methods.py",
    "tests/vault/test_intake_hostile.py",
)


def pytest_collection_modifyitems(items) -> None:
    """The longest files first, the others as they were."""
    root = Path(__file__).parent.parent
    rank = {root / name: n for n, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
