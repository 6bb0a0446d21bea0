"""Dagster resources: the workspace, and what stands behind it."""

from resources.workspace import WorkspaceResource

__all__ = ["WorkspaceResource"]
