"""The one way to MLflow: imported inside the function, since that takes seconds; its telemetry is off."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError


@contextmanager
def reaching(uri: str) -> Iterator[Any]:
    """A client of the MLflow at `uri`, for runs and registry; an SQLite file's folder is made if need be.

    Raises `PreceptorError` for what MLflow refuses, with its error code and without its text.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    import mlflow
    from mlflow.exceptions import MlflowException

    logging.getLogger("alembic").setLevel(logging.WARNING)  # two lines for each of 60 migrations
    try:
        yield mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    except MlflowException as error:
        place = uri.rpartition("@")[2]  # without user and password, if there are any
        raise PreceptorError(
            f"MLflow at {place} refused ({error.error_code}). Check that it runs and is writable, "
            "then run this again; what was done is kept."
        ) from None
