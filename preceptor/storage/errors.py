"""What can be wrong with an object store."""

from __future__ import annotations

from preceptor.errors import PreceptorError


class StorageError(PreceptorError):
    """The object store cannot be used, or holds what cannot be trusted. The home is as it was."""


class StorageAway(StorageError):
    """The object store does not answer, or turns us away."""


class ChangedCopy(StorageError):
    """What the object store, or the home, holds of a version is not what its manifest says."""
