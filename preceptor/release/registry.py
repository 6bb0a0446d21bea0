"""The model registry: versions and aliases in MLflow.

Aliases: `candidate` (passed the gates, waits for approval), `champion` (what serving follows), `previous`
(the champion before). MLflow is imported inside the functions: that takes seconds.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from preceptor.errors import PreceptorError, UsageError
from preceptor.release.artifacts import (
    BUNDLE,
    RELEASE,
    bundle_text,
    release_digest,
    release_files,
    require_unchanged,
)
from preceptor.release.mlflow_client import reaching
from preceptor.settings import Workspace

ENV_TRACKING, ENV_ARTIFACTS = "PRECEPTOR_TRACKING_URI", "PRECEPTOR_TRACKING_ARTIFACTS"
CANDIDATE, CHAMPION, PREVIOUS = "candidate", "champion", "previous"
_REF = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,99})(/(?P<version>[1-9][0-9]{0,8})|@(?P<alias>[a-z_-]+))"
)


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where MLflow keeps runs and versions (`uri`) and files (`artifacts`, a URI)."""

    uri: str
    artifacts: str

    def exists(self) -> bool:
        """Whether anything was tracked yet; lets a reader answer "nothing" without making a database."""
        return not self.uri.startswith("sqlite:///") or Path(self.uri.removeprefix("sqlite:///")).exists()


def tracking_of(workspace: Workspace) -> Tracking:
    """The tracking of a workspace: the MLflow that `PRECEPTOR_TRACKING_URI` names, or SQLite in the home.

    A name of our own, not MLflow's: a variable left over from other work must not send models elsewhere. Files lie in
    the home unless `PRECEPTOR_TRACKING_ARTIFACTS` names another place. Raises `UsageError` for addresses with a password:
    they are written into jobs and manifests.
    """
    uri = os.environ.get(ENV_TRACKING) or f"sqlite:///{workspace.mlflow / 'mlflow.db'}"
    files = os.environ.get(ENV_ARTIFACTS) or (workspace.mlflow / "artifacts").as_uri()
    for name, value in ((ENV_TRACKING, uri), (ENV_ARTIFACTS, files)):
        if urlparse(value).password:
            raise UsageError(
                f"{name} holds a password (rule password-in-address). Leave it out of the address: MLflow takes "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, PostgreSQL PGPASSFILE or PGPASSWORD."
            )
    return Tracking(uri, files.rstrip("/"))


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One registered version.

    `source` is the URI of its files, `digest` stands for them all, `weights` for the model's own without
    the bundle; `data` maps a stage to a data set version.
    """

    name: str
    version: int
    run_id: str
    digest: str
    evaluation: str
    source: str
    created: str
    weights: str
    aliases: tuple[str, ...] = ()
    data: dict[str, str] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        return f"{self.name}/{self.version}"


def parse_ref(ref: str) -> tuple[str, int | None, str | None]:
    """Split `NAME/VERSION` or `NAME@ALIAS` into name, version, alias. Raises `UsageError` for all else."""
    match = _REF.fullmatch(ref)
    if not match:
        raise UsageError(f"{ref!r} names no model version: write NAME/VERSION or NAME@ALIAS.")
    return match["name"], int(match["version"]) if match["version"] else None, match["alias"]


def register(
    tracking: Tracking, name: str, run_id: str | None, model_dir: Path, bundle: dict[str, Any]
) -> VersionInfo:
    """Put a model folder and its bundle into the registry; the same content is the same version.

    `bundle` must say what `artifacts.REQUIRED` lists, and should hold nothing that differs between two
    makings of the same model (times, host names), or these count as different. `run_id` is the training's
    MLflow run; without one a run is made. Killed in between, the next call carries on: the version is created
    last, in one step.
    """
    parse_ref(f"{name}/1")
    text = bundle_text(bundle)
    files = release_files(model_dir, text)
    digest = release_digest(files)
    with reaching(tracking.uri) as client:
        for version in _search(client, name):
            if version.tags.get("digest") == digest:
                return _info(client, version)
        run_id = run_id or _own_run(client, tracking, name, digest)
        folder = f"model-{digest[:12]}"  # a run may be registered twice, after another evaluation
        client.log_artifacts(run_id, str(model_dir), folder)
        client.log_text(run_id, text, f"{folder}/{BUNDLE}")
        client.log_text(run_id, json.dumps({"files": files}, indent=1, sort_keys=True), f"{folder}/{RELEASE}")
        if not client.search_registered_models(filter_string=f"name = '{name}'"):
            client.create_registered_model(name)
        weights = release_digest({path: sha for path, sha in files.items() if path != BUNDLE})
        tags = {"digest": digest, "weights": weights, "evaluation": str(bundle["evaluation"]["version"])}
        tags |= {f"data.{stage}": str(version) for stage, version in bundle["data"].items()}
        source = f"{client.get_run(run_id).info.artifact_uri}/{folder}"
        return _info(client, client.create_model_version(name, source=source, run_id=run_id, tags=tags))


def experiment(tracking: Tracking, name: str) -> str:
    """Return the id of the experiment `name`; made, with its files under `tracking.artifacts`, if need be."""
    with reaching(tracking.uri) as client:
        found = client.get_experiment_by_name(name)
        if found:
            return found.experiment_id
        return client.create_experiment(name, artifact_location=f"{tracking.artifacts}/{name}")


def set_candidate(tracking: Tracking, info: VersionInfo) -> None:
    """Let `NAME@candidate` be this version."""
    set_alias(tracking, info.name, CANDIDATE, info.version)


def set_alias(tracking: Tracking, name: str, alias: str, version: int | None) -> None:
    """Let `NAME@alias` be this version, or nothing for None."""
    with reaching(tracking.uri) as client:
        if version is not None:
            client.set_registered_model_alias(name, alias, str(version))
        elif alias in _aliases(client, name):
            client.delete_registered_model_alias(name, alias)


def get_alias(tracking: Tracking, name: str, alias: str) -> int | None:
    """Return the version `NAME@alias` stands for, or None."""
    if not tracking.exists():
        return None
    with reaching(tracking.uri) as client:
        return _aliases(client, name).get(alias)


def list_versions(tracking: Tracking, name: str | None = None) -> list[VersionInfo]:
    """All versions of a model, or of every model, by name and number."""
    if not tracking.exists():
        return []
    with reaching(tracking.uri) as client:
        found = _search(client, name)
        aliases = {model: _aliases(client, model) for model in {version.name for version in found}}
        infos = [_info(client, version, aliases[version.name]) for version in found]
    return sorted(infos, key=lambda info: (info.name, info.version))


def resolve(tracking: Tracking, ref: str) -> VersionInfo:
    """Return the version `NAME/VERSION` or `NAME@ALIAS` stands for. Raises `UsageError` if there is none."""
    name, version, alias = parse_ref(ref)
    for info in list_versions(tracking, name):
        if info.version == version or (alias is not None and alias in info.aliases):
            return info
    raise UsageError(f"There is no model version {ref}; `preceptor release list` shows what there is.")


def bundle_of(tracking: Tracking, info: VersionInfo) -> dict[str, Any]:
    """Return the bundle a version was registered with."""
    with _files(tracking, info) as folder:
        return json.loads((folder / BUNDLE).read_text(encoding="utf-8"))


def check_files(tracking: Tracking, info: VersionInfo) -> None:
    """Raise `DamagedVersion` unless the version's files are still those of its digest."""
    with _files(tracking, info) as folder:
        require_unchanged(folder, info.digest, info.ref)


def download(tracking: Tracking, ref: str, destination: Path) -> VersionInfo:
    """Copy a version's files into `destination`, which must not exist; checked by digest, then renamed."""
    import shutil

    info = resolve(tracking, ref)
    if destination.exists():
        raise UsageError(f"{destination} exists already; name a folder that does not.")
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", suffix=".part", dir=destination.parent))
    try:
        with _files(tracking, info) as folder:
            shutil.copytree(folder, part, dirs_exist_ok=True)
        require_unchanged(part, info.digest, info.ref)
        part.rename(destination)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return info


@contextmanager
def _files(tracking: Tracking, info: VersionInfo) -> Iterator[Path]:
    """The folder of a version's files: in place if it is on this machine, else a copy for the time being."""
    place = urlparse(info.source)
    if place.scheme in ("", "file"):
        folder = Path(unquote(place.path))
        if not folder.is_dir():
            raise PreceptorError(f"{info.ref}: its files in {folder} are gone. Restore them from a backup.")
        yield folder
        return
    with reaching(tracking.uri), tempfile.TemporaryDirectory() as copy:
        import mlflow

        yield Path(mlflow.artifacts.download_artifacts(info.source, dst_path=copy, tracking_uri=tracking.uri))


def _own_run(client: Any, tracking: Tracking, name: str, digest: str) -> str:
    """The run that carries a model not trained under MLflow; one for a digest, however often asked."""
    within = experiment(tracking, name)
    found = client.search_runs([within], filter_string=f"tags.digest = '{digest}'", max_results=1)
    if found:
        return found[0].info.run_id
    run = client.create_run(within, tags={"digest": digest}, run_name=f"register-{digest[:12]}")
    client.set_terminated(run.info.run_id)
    return run.info.run_id


def _search(client: Any, name: str | None) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'" if name else None, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _aliases(client: Any, name: str) -> dict[str, int]:
    models = client.search_registered_models(filter_string=f"name = '{name}'")
    return {alias: int(version) for model in models for alias, version in model.aliases.items()}


def _info(client: Any, version: Any, aliases: dict[str, int] | None = None) -> VersionInfo:
    known = _aliases(client, version.name) if aliases is None else aliases
    return VersionInfo(
        name=version.name,
        version=int(version.version),
        run_id=version.run_id or "",
        digest=version.tags.get("digest", ""),
        evaluation=version.tags.get("evaluation", ""),
        source=version.source,
        weights=version.tags.get("weights", ""),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(),
        aliases=tuple(sorted(alias for alias, number in known.items() if number == int(version.version))),
        data={k.removeprefix("data."): v for k, v in version.tags.items() if k.startswith("data.")},
    )
