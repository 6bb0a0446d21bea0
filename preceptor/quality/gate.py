"""Run a suite over a frame and keep the verdict beside the data.

A verdict holds counts, never values. It is bound to the name of the version that it judged: whoever works on that
version reads the verdict first and refuses without a passing one, since a check in the orchestrator holds only
within one run.
"""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor.errors import GateRefused, PreceptorError
from preceptor.quality import data_docs
from preceptor.settings import ROOT
from preceptor.versions import file_sha256, write_atomic

if TYPE_CHECKING:
    import pandas as pd

SUITES = ROOT / "expectations"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a suite found: `results` has one entry for each expectation, with counts."""

    suite: str
    suite_sha256: str
    version: str
    passed: bool
    rows: int
    results: list[dict[str, Any]]

    @property
    def failures(self) -> list[str]:
        """A line for each expectation that failed."""
        return [
            f"{r['rule']}: {r['unexpected']} of {r['rows']} rows" for r in self.results if not r["passed"]
        ]


def check(data: Path, suite: str, version: str, frame: pd.DataFrame, docs: Path | None = None) -> Verdict:
    """Judge `frame` by the suite `expectations/<suite>.json`, write the verdict down and return it.

    With `docs` the result is also shown in the Data Docs there (`preceptor.quality.data_docs`).
    A version never changes, so one that this very suite has judged is not judged again.
    """
    path = SUITES / f"{suite}.json"
    known = known_verdict(data, suite, version)
    if known is not None:
        return known
    with data_docs.alone(docs) if docs else nullcontext():
        results = _run(suite, version, json.loads(path.read_text()), frame, docs)
    verdict = Verdict(
        suite=suite,
        suite_sha256=file_sha256(path),
        version=version,
        passed=all(r["passed"] for r in results),
        rows=len(frame),
        results=results,
    )
    write_atomic(_path(data, suite, version), json.dumps(asdict(verdict), indent=1))
    return verdict


def require(data: Path, suite: str, version: str) -> Verdict:
    """Return the passing verdict of a version.

    Raises `GateRefused` if it failed, or was not judged by the suite as it is now.
    """
    verdict = known_verdict(data, suite, version)
    if verdict is None:
        raise GateRefused(
            f"{suite} {version} has not been judged by its present suite (rule gate-not-run): materialise its checks "
            "first, or run the whole job."
        )
    if not verdict.passed:
        raise GateRefused(f"{suite} {version} did not pass its quality gate: {'; '.join(verdict.failures)}.")
    return verdict


def known_verdict(data: Path, suite: str, version: str) -> Verdict | None:
    """The verdict on a version by the suite as it is now; None if there is none."""
    path = _path(data, suite, version)
    if not path.exists():
        return None
    verdict = Verdict(**json.loads(path.read_text()))
    return verdict if verdict.suite_sha256 == file_sha256(SUITES / f"{suite}.json") else None


def _path(data: Path, suite: str, version: str) -> Path:
    return data / "verdicts" / f"{suite}-{version}.json"


def _run(
    name: str, version: str, suite: dict[str, Any], frame: pd.DataFrame, docs: Path | None
) -> list[dict[str, Any]]:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    context = data_docs.context(docs)
    batch = (
        context.data_sources.add_or_update_pandas("frames")
        .add_dataframe_asset("frame")
        .add_batch_definition_whole_dataframe("whole")
    )
    configurations = [
        ExpectationConfiguration(type=e["type"], kwargs=e["kwargs"], meta={"rule": e["rule"]})
        for e in suite["expectations"]
    ]
    expectations = context.suites.add_or_update(gx.ExpectationSuite(name=name, expectations=configurations))
    definition = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=name, data=batch, suite=expectations)
    )
    # BOOLEAN_ONLY: richer formats carry the offending values, which may be text of a note.
    run_id = RunIdentifier(run_name=version)
    outcome = definition.run(
        batch_parameters={"dataframe": frame}, result_format="BOOLEAN_ONLY", run_id=run_id
    )
    if docs is not None:
        data_docs.build(context, docs, name, run_id, "frames-frame")
    results = []
    for result in outcome.results:
        configured: Any = result.expectation_config
        if result.exception_info and result.exception_info.get("raised_exception"):
            raise PreceptorError(
                f"The expectation {configured.meta['rule']} could not be computed: does the suite "
                "name a column that the frame does not have?"
            )
        kind, kwargs = configured.type, configured.kwargs
        rule = configured.meta["rule"]
        unexpected = 0 if result.success else _count_unexpected(frame, kind, kwargs)
        results.append(
            {
                "rule": rule,
                "type": kind,
                "column": kwargs.get("column"),
                "passed": bool(result.success),
                "unexpected": unexpected,
                "rows": len(frame),
            }
        )
    return results


def _count_unexpected(frame: pd.DataFrame, kind: str, kwargs: dict[str, Any]) -> int:
    """How many rows break a rule: counted here, so that no value has to pass through a result."""
    column = frame[kwargs["column"]] if kwargs.get("column") in frame else None
    if column is None:
        return len(frame)
    if kind == "expect_column_values_to_not_be_null":
        return int(column.isna().sum())
    if kind == "expect_column_values_to_be_unique":
        return int(column.duplicated(keep=False).sum())
    if kind == "expect_column_values_to_be_in_set":
        return int((~column.isin(kwargs["value_set"])).sum())
    if kind == "expect_column_values_to_be_between":
        low, high = kwargs.get("min_value"), kwargs.get("max_value")
        bad = column.isna()
        if low is not None:
            bad |= column < low
        if high is not None:
            bad |= column > high
        return int(bad.sum())
    if kind == "expect_column_values_to_match_regex":
        return int((~column.astype(str).str.contains(kwargs["regex"], regex=True)).sum())
    return len(frame)
