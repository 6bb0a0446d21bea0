"""One resource that all assets share: the home, its settings, and the doors to vault, registry and record.

Heavy libraries are imported by the functions that need them; making this resource reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from preceptor.models import ResolvedModel
    from preceptor.release.registry import Tracking
    from preceptor.release.store import Store
    from preceptor.settings import Settings, Workspace
    from preceptor.vault import Vault


class WorkspaceResource(dg.ConfigurableResource):
    """A Preceptor home. Left empty, `home`, `profile` and `config` come from the environment
    (`PRECEPTOR_HOME`, `PRECEPTOR_PROFILE`, `PRECEPTOR_CONFIG`), as the `preceptor` program sets them."""

    home: str = ""
    profile: str = ""
    config: str = ""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[WorkspaceResource]:
        """While a run is at work its process shows that it is there; a sensor needs no such thing."""
        from resources.alive import alive

        if context.run is None:
            yield self
            return
        with alive(self.workspace(), context.run.run_id):
            yield self

    def workspace(self) -> Workspace:
        from preceptor.settings import Workspace, default_home

        return Workspace(Path(self.home) if self.home else default_home())

    def settings(self) -> Settings:
        from preceptor.settings import load_settings

        return load_settings(self.profile or None, Path(self.config) if self.config else None)

    @contextmanager
    def vault(self) -> Iterator[Vault]:
        """The open vault. Red: what comes out of it may not leave the function that asked."""
        from preceptor.vault import open_vault

        vault = open_vault(self.workspace())
        try:
            yield vault
        finally:
            vault.close()

    @contextmanager
    def record(self) -> Iterator[Store]:
        """The tamper-evident record of releases."""
        from preceptor.release.store import open_store

        store = open_store(self.workspace())
        try:
            yield store
        finally:
            store.close()

    def tracking(self) -> Tracking:
        from preceptor.release.registry import tracking_of

        workspace = self.workspace()
        workspace.mlflow.mkdir(parents=True, exist_ok=True)
        return tracking_of(workspace)

    def base_model(self) -> ResolvedModel:
        from preceptor.models import resolve

        return resolve(self.settings().base_model, self.workspace())
