"""The YAML files that probes make their prompts by: another content is another evaluation."""

from __future__ import annotations

from preceptor.settings import EvaluationSettings, resolve_path
from preceptor.versions import digest, file_sha256


def prompts_digest(settings: EvaluationSettings) -> str:
    """What stands for the content of the files that are used; "none" where the probes are turned off."""
    paths = []
    if settings.safety.cases:
        paths += sorted(resolve_path(settings.safety.prompts).glob("*.yaml"))
    if settings.counterfactuals.cases:
        paths.append(resolve_path(settings.counterfactuals.pairs))
    found = [file_sha256(path) for path in paths if path.is_file()]
    return digest(found) if found else "none"
