"""The gate policy in force: what the settings say, laid upon the file that `gates.policy` names; and its digest."""

from __future__ import annotations

from preceptor.settings import GateSettings, merge, read_yaml, resolve_path, validated
from preceptor.versions import digest


def in_force(settings: GateSettings) -> GateSettings:
    """Return the thresholds that decide. What the settings set wins over the file; a limit set to null is lifted.

    Raises `UsageError` naming key, file and line of what is wrong in the file.
    """
    own = settings.model_dump(mode="json", exclude_unset=True)
    if not settings.policy:
        return _without_lifted(settings)
    path = resolve_path(settings.policy)
    values, lines = read_yaml(path)
    validated(GateSettings, values, path, lines)
    return _without_lifted(validated(GateSettings, merge(values, own), path, lines))


def policy_digest(settings: GateSettings) -> str:
    """SHA-256 of the thresholds in force, wherever they were written down."""
    return digest(in_force(settings).model_dump(mode="json", exclude={"policy"}))


def _without_lifted(settings: GateSettings) -> GateSettings:
    limits = {name: limit for name, limit in settings.limits.items() if limit is not None}
    return settings.model_copy(update={"limits": limits})
