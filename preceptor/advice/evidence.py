"""What a home knows of its use cases: the newest evaluation, and the newest verdict on the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.settings import Workspace
from preceptor.versions import latest


@dataclass(frozen=True, slots=True)
class Evidence:
    """`report` is report.json as the evaluation writes it, `sufficiency` what `preceptor data sufficiency` says; None where
    there is none yet. `names` are their versions, `cautions` what keeps them from belonging together."""

    report: Mapping[str, Any] | None = None
    sufficiency: Mapping[str, Any] | None = None
    names: Mapping[str, str] | None = None
    cautions: tuple[str, ...] = ()

    @property
    def tasks(self) -> list[str]:
        """The use cases that either knows."""
        known = dict.fromkeys((self.report or {}).get("cases_by_task", {}))
        known |= dict.fromkeys((self.sufficiency or {}).get("tasks", {}))
        return list(known)


def gather(workspace: Workspace) -> Evidence:
    """Read both. Raises `PreceptorError` for a report that cannot be read."""
    from preceptor.evaluation.evaluate import REPORT_JSON
    from preceptor.evaluation.stage import STAGE as EVALUATION
    from preceptor.sufficiency.stage import STAGE as SUFFICIENCY

    evaluation = latest(workspace.reports, EVALUATION)
    verdict = latest(workspace.data, SUFFICIENCY)
    report = None
    if evaluation:
        path = evaluation.path / REPORT_JSON
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            report["arms"], report["comparisons"], report["cases_by_task"]
        except (OSError, ValueError, KeyError, TypeError):
            raise PreceptorError(
                f"{path} is no report of an evaluation: remove its folder and run `preceptor evaluate` again."
            ) from None
    cautions = []
    if report and verdict and report.get("dataset") != verdict.manifest["inputs"].get("curated"):
        cautions.append(
            f"The evaluation is of the data {report.get('dataset')}, the verdict on sufficiency of "
            f"{verdict.manifest['inputs'].get('curated')}: evaluate again before you decide by both."
        )
    found = {"evaluation": evaluation, "sufficiency": verdict}
    return Evidence(
        report,
        verdict.facts if verdict else None,
        {key: version.name for key, version in found.items() if version},
        tuple(cautions),
    )
