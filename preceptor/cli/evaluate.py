"""`preceptor evaluate`: score arms on the same cases, outside the pipeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from preceptor.cli import evaluate_benchmarks
from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.errors import UsageError
from preceptor.settings import ARMS, Settings, Workspace

if TYPE_CHECKING:
    from preceptor.evaluation.arms import ArmModel
    from preceptor.models import ResolvedModel
    from preceptor.records import Example
    from preceptor.versions import DatasetVersion

STAGE = "evaluations"  # of the reports; `evaluation` is the pipeline's own, which decides on candidates


@click.command()
@click.option(
    "--model",
    "refs",
    multiple=True,
    metavar="REF",
    help="NAME/VERSION, NAME@ALIAS or a folder: the fine-tuned model; a base-model name: the base. "
    "[default: the newest model and the profile's base]",
)
@click.option(
    "--arm", "arms", multiple=True, type=click.Choice(ARMS), help="Only these arms; may be repeated."
)
@click.option(
    "--cases",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSONL of cases with task, prompt and answer, instead of the test split.",
)
@click.option(
    "--benchmark",
    "benchmarks",
    multiple=True,
    metavar="NAME",
    help="A public benchmark, such as pubmedqa; may be repeated; `list` shows them. Alone, or beside --cases.",
)
@click.option(
    "--benchmark-data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the benchmarks' data, one folder each, instead of the hub.",
)
@click.option(
    "--benchmark-cases", type=click.IntRange(min=1), help="Only the first so many cases of each benchmark."
)
@click.option(
    "--freeze",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the test cases that the fine-tuned model gets right as a regression set: ids and the scores to keep.",
)
@click.option(
    "--slack",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="Of --freeze: how far a score may fall.",
)
@json_option
def evaluate(
    refs: tuple[str, ...],
    arms: tuple[str, ...],
    cases: Path | None,
    benchmarks: tuple[str, ...],
    benchmark_data: Path | None,
    benchmark_cases: int | None,
    freeze: Path | None,
    slack: float,
    as_json: bool,
) -> None:
    """Score arms on the same cases; writes report.html and report.json. The same command continues if killed."""
    if evaluate_benchmarks.LIST in benchmarks:
        return evaluate_benchmarks.list_benchmarks(as_json)
    from preceptor.evaluation import VERSION
    from preceptor.evaluation.evaluate import evaluate as run
    from preceptor.evaluation.inputs import files_read
    from preceptor.progress import reporter
    from preceptor.versions import file_sha256, make_version

    if freeze and (cases or benchmarks):
        raise UsageError("--freeze keeps ids of the test split: leave --cases and --benchmark out.")
    ours, given = workspace(), settings()
    chosen = given.evaluation.model_copy(update={"arms": arms or given.evaluation.arms})
    chosen = evaluate_benchmarks.with_benchmarks(chosen, benchmarks, benchmark_data, benchmark_cases)
    files = files_read(chosen)  # a lack of data is told before a model is fetched
    if benchmarks and cases is None:
        models, _ = _models(refs, ours, given, own_cases=True)
        return evaluate_benchmarks.run_alone(ours, chosen, models, STAGE, as_json)
    asked = read_cases(cases, given.curation.tasks) if cases else None
    wanted = chosen.arms if chosen.endpoint else ()
    models, curated = _models(refs, ours, given, own_cases=asked is not None, arms=wanted)
    version = make_version(
        ours.reports,
        STAGE,
        inputs={
            "curated": curated.name if curated else "none",
            "cases": file_sha256(cases) if cases else "none",
            **files,
            **{role: model.digest for role, model in models.items()},
        },
        config=chosen.model_dump(mode="json", exclude={"benchmark_data"}),
        code=VERSION,
        write=lambda folder: run(
            curated.path if curated else None,
            models,
            chosen,
            ours.reports / ".answers",
            folder,
            reporter("evaluate"),
            asked,
        ),
    )
    report = version.path / "report.html"
    kept = _freeze(version.path, freeze, slack) if freeze else 0
    said = f"\n{kept} cases to keep: {freeze} (evaluation.regression_set)" if freeze else ""
    emit(
        {
            **version.facts,
            "report": str(report),
            "version": version.name,
            **({"frozen": kept} if freeze else {}),
        },
        as_json,
        lambda: _table(version.facts, report) + said,
    )


def _freeze(evaluation: Path, to: Path, slack: float) -> int:
    """Write the regression set; return how many cases it has. Raises `UsageError` if there would be none."""
    import pyarrow.parquet as pq

    from preceptor.evaluation.evaluate import PREDICTIONS
    from preceptor.evaluation.regression import frozen
    from preceptor.versions import write_atomic

    lines = frozen(pq.read_table(evaluation / PREDICTIONS).to_pylist(), slack)
    if not lines:
        raise UsageError(
            "There is nothing to keep: no fine-tuned model was evaluated, or it gets no case right. No file was written."
        )
    write_atomic(to, "".join(f"{json.dumps(line)}\n" for line in lines))
    return len(lines)


def read_cases(path: Path, tasks: Sequence[str] = ()) -> list[Example]:
    """Read cases from JSONL: `task`, `prompt` and `answer`, and any other field of an example. `tasks`: use cases of the
    hospital's own, which its cases may name beside those of Preceptor.

    Raises `UsageError` naming file and line, never what stands there.
    """
    from dataclasses import fields

    from preceptor.evaluation.metrics import PRIMARY
    from preceptor.records import Example

    known = {field.name for field in fields(Example)}
    named = tuple(dict.fromkeys((*PRIMARY, *tasks)))
    found: dict[str, Example] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                raise UsageError(f"{path}, line {number}: this is not JSON.") from None
            rule = _wrong(row, known, named)
            if rule:
                raise UsageError(f"{path}, line {number}: {rule}.")
            row = {
                "example_id": f"case-{number:05d}",
                "split": "test",
                "patient_ref": "",
                "specialty": "",
                **row,
            }
            row |= {key: tuple(row.get(key, ())) for key in ("document_refs", "seeds")}
            if row["example_id"] in found:
                raise UsageError(f"{path}, line {number}: its example_id stands in an earlier line too.")
            found[row["example_id"]] = Example(**row)
    return list(found.values())


def _wrong(row: Any, known: set[str], tasks: Sequence[str]) -> str | None:
    if not isinstance(row, dict):
        return "a JSON object is expected"
    for key in ("task", "prompt", "answer"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            return f"the text {key!r} is missing"
    if row["task"] not in tasks:
        return f"'task' is none of {', '.join(tasks)}"
    if not set(row) <= known:
        return f"only these keys are known: {', '.join(sorted(known))}"
    return None


def _models(
    refs: Sequence[str], ours: Workspace, given: Settings, own_cases: bool, arms: Sequence[str] = ()
) -> tuple[dict[str, ArmModel], DatasetVersion | None]:
    """Return the model of each role, and the data set whose test split none of them was trained on."""
    from preceptor.evaluation.arms import ArmModel
    from preceptor.evaluation.stage import tuned
    from preceptor.models import resolve
    from preceptor.providers.answers import AnswersOf, endpoint_model
    from preceptor.release.registry import tracking_of
    from preceptor.release.stage import champion_model
    from preceptor.versions import latest, load

    bases = [ref for ref in refs if _is_base(ref)]
    others = [ref for ref in refs if not _is_base(ref)]
    if len(bases) > 1 or len(others) > 1:
        raise UsageError(
            "Name one base model and one fine-tuned model at most: arms are compared pair by pair."
        )
    curated = latest(ours.data, "curated")
    if not own_cases and curated is None:  # said before a model is fetched
        raise UsageError(
            "There is no data set to take cases from: `preceptor run` makes one, or name --cases FILE."
        )
    base = resolve(bases[0] if bases else given.base_model, ours)
    models = {"base": ArmModel(base.name, base.path, None, base.digest)}
    if others:
        name, path, made_on, version, made_from = _named(others[0], ours, base)
        curated = load(ours.data, "curated", made_from) if made_from else curated
        answers = AnswersOf(ours, given, None if own_cases or curated is None else curated.name)
        models["finetuned"] = tuned(name, path, made_on, version, answers)
    elif not bases and (model := latest(ours.models, "model")):
        curated = load(ours.data, "curated", model.manifest["inputs"]["curated"])
        answers = AnswersOf(ours, given, None if own_cases else curated.name)
        models["finetuned"] = tuned(f"fine-tuned {model.name}", model.path, base, model.name, answers)
    tracking = tracking_of(ours)
    if tracking.exists() and (champion := champion_model(tracking, ours, given)):
        answers = AnswersOf(ours, given, None if own_cases or curated is None else curated.name)
        models["champion"] = tuned(
            f"champion {champion.info.ref}", champion.path, champion.base, champion.info.digest, answers
        )
    if "endpoint" in arms:
        models["endpoint"] = endpoint_model(ours, given, base, None if own_cases else curated)
    return models, curated


def _is_base(ref: str) -> bool:
    from preceptor.models import load_catalogue

    return ":" in ref or ref in load_catalogue()


def _named(
    ref: str, ours: Workspace, base: ResolvedModel
) -> tuple[str, Path, ResolvedModel, str, str | None]:
    """A fine-tuned model by folder or registry reference: name, folder, base, digest, and the curated version it was made
    from, if known."""
    from preceptor.models.sources import checkpoint_digest
    from preceptor.release import registry
    from preceptor.release.stage import base_of
    from preceptor.versions import MANIFEST

    folder = Path(ref)
    if folder.is_dir():
        if not any(
            (folder / name).exists() for name in ("adapter_config.json", "config.json", "provider.json")
        ):
            raise UsageError(
                f"{folder} holds neither adapter_config.json nor config.json nor provider.json: it is no model."
            )
        manifest = folder / MANIFEST
        inputs = json.loads(manifest.read_text(encoding="utf-8"))["inputs"] if manifest.exists() else {}
        return folder.resolve().name, folder, base, checkpoint_digest(folder), inputs.get("curated")
    tracking = registry.tracking_of(ours)
    if not tracking.exists():
        raise UsageError(
            f"{ref} is neither a folder nor a model version: nothing is registered in this workspace yet."
        )
    info = registry.resolve(tracking, ref)
    kept = ours.models / "evaluated" / f"{info.name}-{info.version}-{info.digest[:12]}"
    if not kept.exists():
        registry.download(tracking, info.ref, kept)
    made_on = base_of(registry.bundle_of(tracking, info), ours)
    return info.ref, kept, made_on, info.digest, info.data.get("curated")


def _table(facts: dict[str, Any], report: Path) -> str:
    rows = [
        (arm, f"{100 * h['mean']:.1f}", f"{100 * h['low']:.1f} to {100 * h['high']:.1f}")
        for arm, h in facts["headline"].items()
    ]
    skipped = "".join(f"\nnot run: {entry['arm']} ({entry['why']})" for entry in facts["skipped"])
    return (
        f"{columns(rows, ('arm', 'score', '95 % interval'))}{skipped}\n\n{facts['verdict']}\n"
        f"{facts['n_cases']} cases of {facts['n_patients']} patients. Report: {report}"
    )
