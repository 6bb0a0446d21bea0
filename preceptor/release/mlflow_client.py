"""The one way to MLflow: imported inside the function, since that takes seconds; its telemetry is off."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from preceptor import disk
from preceptor.errors import PreceptorError

_NO_SERVER = (502, 503, 504)  # what a proxy says of a server that is away
# MLflow has no class and no code of its own for a server that is away; `rest_utils` says only this. One that answers 500 again and
# again, as with a full disk of its own, is there.
_UNANSWERED = re.compile(
    rf"API request to (\S+ failed with (timeout )?exception(?!.*too many 500)|endpoint \S+ failed with error code ({'|'.join(map(str, _NO_SERVER))}))"
)


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

    logging.getLogger("alembic").setLevel(logging.WARNING)  # two lines for each of 60 migrations
    with translated(uri):
        yield mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Raise `PreceptorError` for what goes wrong with the MLflow at `uri`: it does not answer, it has no room, or it refuses, with
    its error code and without its text, which may quote what it was sent."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except (MlflowException, RequestException) as error:
        raise _said(error, uri) from None


def _said(error: Exception, uri: str) -> PreceptorError:
    place = uri.rpartition("@")[2]  # without user and password, if there are any
    here = Path(uri.removeprefix("sqlite:///")).parent
    if uri.startswith("sqlite:///") and disk.is_full(error, here):
        return disk.full(here)
    answered = getattr(error, "response", None)
    if uri.startswith("http") and (
        answered.status_code in _NO_SERVER if answered is not None else _UNANSWERED.match(str(error))
    ):
        return PreceptorError(
            f"MLflow at {place} does not answer (rule mlflow-away). Start it, or mend the way to it; what was done is kept, and "
            "the same command goes on."
        )
    code = getattr(error, "error_code", type(error).__name__)
    return PreceptorError(
        f"MLflow at {place} refused ({code}). Check that it runs and is writable, then run this again; what was done is kept."
    )
