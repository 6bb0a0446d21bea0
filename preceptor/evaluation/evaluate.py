"""Run all arms on the same held-out cases, score them, and write predictions, report.json and report.html."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from preceptor.errors import PreceptorError, UsageError
from preceptor.evaluation import VERSION
from preceptor.evaluation.answer_cache import AnswerCache
from preceptor.evaluation.arms import ARMS, SHOWS_EXAMPLES, ArmModel, may_be_asked_anew, questions
from preceptor.evaluation.citations import cited, unmarked
from preceptor.evaluation.facts import Prediction, arm_facts, case_facts, comparisons
from preceptor.evaluation.fewshot import Choice, choose
from preceptor.evaluation.generation import GenerationSettings, answer_all
from preceptor.evaluation.loading import choose_dtype
from preceptor.evaluation.metrics import METRICS, primary, score
from preceptor.evaluation.probes import Material, probed
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.references import Passage, read_passages
from preceptor.evaluation.report import render
from preceptor.evaluation.retrieval import usable
from preceptor.evaluation.verdict import verdict
from preceptor.progress import Progress, silent
from preceptor.records import Example
from preceptor.settings import ROOT, EvaluationSettings, resolve_path
from preceptor.tables import EXAMPLES, read_examples
from preceptor.versions import MANIFEST, file_sha256, write_atomic

PREDICTIONS, REPORT_JSON, REPORT_HTML = "predictions.parquet", "report.json", "report.html"


class Decision(Protocol):
    """What a gate says, as release knows it."""

    def facts(self) -> dict[str, Any]: ...


def evaluate(
    dataset: Path | None,
    models: Mapping[str, ArmModel],
    settings: EvaluationSettings,
    cache: Path,
    out: Path,
    on_progress: Progress = silent,
    cases: Sequence[Example] | None = None,
    gate: Callable[[Mapping[str, Any]], Decision] | None = None,
    fresh: Sequence[Example] = (),
) -> dict[str, Any]:
    """Score the arms of `settings.arms` on the test cases of a curated data set and return the facts, in
    brief.

    `dataset` is a version folder with examples.parquet; `cases`, if given, stand in for its test split, and `dataset`
    may be None then. `models` has `base`, `finetuned`, `champion` and `endpoint`, as far as there are any. An arm without its
    model, or without training examples to show, is skipped with a note. Writes predictions.parquet (amber),
    report.json and report.html (amber: shows cases) into `out`. Finished answers are kept in `cache`; after a kill,
    the same call goes on where it stopped. `fresh` are held-out cases of batches that came after the champion's data.
    `gate` decides on the facts; what it says is shown under `gate`.

    Raises `UsageError` if no arm can be run, `PreceptorError` for a data set without cases, one whose splits mix, or
    a model that cannot be loaded.
    """
    started = time.monotonic()
    examples = read_examples(dataset / EXAMPLES) if dataset else []
    chosen = chosen_cases(examples if cases is None else cases, settings, dataset, given=cases is not None)
    train = usable([example for example in examples if example.split == "train"], chosen)
    arms, skipped = _available(settings.arms, models, bool(train))
    dtype = choose_dtype(cache / "number-format.json")
    answers = AnswerCache(cache)

    def ask(role: str, asked: Sequence[Question], progress: Progress = on_progress) -> list[str]:
        if not may_be_asked_anew(models, role):
            raise PreceptorError(
                f"{models[role].name} is at a provider, and this question is none of the cases that were approved."
            )
        generation = GenerationSettings.of(settings, dtype)
        return [a.text for a in answer_all(models[role], asked, generation, answers, progress).answers]

    choice, total, tried = None, len(arms) * len(chosen), 0

    def try_prompts(asked: Sequence[Question]) -> list[str]:
        nonlocal tried
        tried = len(asked)
        return ask("base", asked, lambda done, _: on_progress(done, tried + total))

    if "fewshot" in arms:
        validation = usable([e for e in examples if e.split == "validation"], chosen, "validation")
        tasks = sorted({case.task for case in chosen})
        choice = choose(train, validation, tasks, settings, try_prompts)
    retrieving = any(arm.endswith("rag") for arm in arms)
    texts = settings.reference_texts if retrieving else ""
    passages = read_passages(resolve_path(texts)) if texts else []
    by_arm = _run_arms(
        arms, models, chosen, train, settings, answers, dtype,
        lambda done, _: on_progress(tried + done, tried + total), choice, passages,
    )  # fmt: skip
    material = Material(
        chosen,
        train,
        by_arm,
        models,
        settings,
        dtype,
        ask,
        on_progress,
        choice=choice,
        fresh=fresh,
        cache=cache,
    )

    used = {ARMS[arm][0]: models[ARMS[arm][0]] for arm in arms}
    report: dict[str, Any] = {
        "evaluation": VERSION,
        "lock": file_sha256(ROOT / "uv.lock") if (ROOT / "uv.lock").exists() else "none",
        "dataset": _version_name(dataset) if dataset else "none",
        "cases": "test split" if cases is None else "cases given by file",
        **case_facts(chosen),
        "settings": settings.model_dump(mode="json"),
        "number_format": dtype,
        "models": {
            role: {"name": model.name, "digest": model.digest, "adapter": model.adapter is not None}
            for role, model in used.items()
        },
        "measures": {task: primary(task) for task in sorted({case.task for case in chosen})},
        "arms": {arm: arm_facts(rows, settings, used[ARMS[arm][0]].remote) for arm, rows in by_arm.items()},
        "comparisons": comparisons(by_arm, settings),
        "probes": probed(material),
        "skipped": skipped,
        "notes": _notes(arms, chosen, train) + _remote_notes(used),
    }
    report["headline"] = {arm: facts["headline"] for arm, facts in report["arms"].items()}
    report["gate"] = gate(report).facts() if gate and "finetuned" in arms else None
    report["verdict"] = verdict(report)
    report["wall_seconds"] = round(time.monotonic() - started, 1)

    write_atomic(out / PREDICTIONS, _parquet([row for rows in by_arm.values() for row in rows]))
    write_atomic(out / REPORT_JSON, json.dumps(report, indent=1, ensure_ascii=False))
    write_atomic(out / REPORT_HTML, render(report, material))
    brief = (
        "evaluation",
        "dataset",
        "n_cases",
        "n_patients",
        "cases_by_task",
        "headline",
        "comparisons",
        "skipped",
    )
    return {**{key: report[key] for key in brief}, "verdict": report["verdict"]["headline"]}


def chosen_cases(
    examples: Sequence[Example], settings: EvaluationSettings, where: Path | None, *, given: bool
) -> list[Example]:
    """Return the cases to answer, by id: all that were given, or the test split; at most `max_cases` of them."""
    cases = sorted((e for e in examples if given or e.split == "test"), key=lambda e: e.example_id)
    if not cases:
        raise PreceptorError(
            f"{where or 'The cases given'}: there is no test case to evaluate on. With few patients none may fall into the test split: "
            "take in more documents, or raise curation.test_share."
        )
    for case in cases:
        primary(case.task)
    return cases[: settings.max_cases or None]


def _available(
    wanted: Sequence[str], models: Mapping[str, ArmModel], can_show: bool
) -> tuple[list[str], list[dict[str, str]]]:
    missing = {
        "base": "no base model was given",
        "finetuned": "no fine-tuned model was given",
        "champion": "there is no champion yet",
        "endpoint": "evaluation.endpoint names none",
    }
    for arm in wanted:
        if arm not in ARMS:
            raise UsageError(f"There is no arm {arm!r}; arms are {', '.join(ARMS)}.")
    arms, skipped = [], []
    for arm, (role, _) in ARMS.items():
        if arm not in wanted:
            continue
        if role not in models:
            skipped.append({"arm": arm, "why": missing[role]})
        elif arm in SHOWS_EXAMPLES and not can_show:
            skipped.append({"arm": arm, "why": "there is no clinical training example to show or retrieve"})
        else:
            arms.append(arm)
    if not arms:
        reasons = "; ".join(f"{entry['arm']}: {entry['why']}" for entry in skipped) or "none was named"
        raise UsageError(f"No arm can be run ({reasons}).")
    return arms, skipped


def _run_arms(
    arms: Sequence[str],
    models: Mapping[str, ArmModel],
    cases: Sequence[Example],
    train: Sequence[Example],
    settings: EvaluationSettings,
    cache: AnswerCache,
    dtype: str,
    on_progress: Progress,
    choice: Choice | None,
    passages: Sequence[Passage],
) -> dict[str, list[Prediction]]:
    """Answer and score; the arms of one model share its batches, so that it is loaded once and places stay full."""
    generation = GenerationSettings.of(settings, dtype)
    found: dict[str, list[Prediction]] = {}
    total, before = len(arms) * len(cases), 0
    for role in dict.fromkeys(ARMS[arm][0] for arm in arms):
        of_model = [arm for arm in arms if ARMS[arm][0] == role]
        asked = [
            question
            for arm in of_model
            for question in questions(arm, cases, train, settings, choice, passages)
        ]
        offset = before
        answered = answer_all(
            models[role],
            asked,
            generation,
            cache,
            lambda done, _: on_progress(offset + done, total),  # noqa: B023
        )
        before += len(asked)
        placed = iter(zip(asked, answered.answers, answered.prompts, strict=True))
        for arm in of_model:
            found[arm] = []
            for case in cases:
                question, answer, prompt = next(placed)
                shown = tuple(question.sources[place] for place in prompt.shown)
                numbered = shown if arm.endswith("rag") else ()
                kept = {k: v for k, v in asdict(answer).items() if k != "text"}
                found[arm].append(
                    Prediction(
                        case=case,
                        arm=arm,
                        answer=answer.text,
                        prompt_cut=prompt.prompt_cut,
                        context_cut=prompt.context_cut,
                        scores=score(case.task, case.prompt, case.answer, unmarked(answer.text, numbered)),
                        shown=shown,
                        cited=cited(answer.text, numbered),
                        **kept,
                    )
                )
    return {arm: found[arm] for arm in arms}


def _notes(arms: Sequence[str], cases: Sequence[Example], train: Sequence[Example]) -> list[str]:
    if not SHOWS_EXAMPLES.intersection(arms):
        return []
    bare = sorted({case.task for case in cases} - {example.task for example in train})
    return [
        f"{task}: no clinical training example to show or retrieve, so these arms saw none." for task in bare
    ]


def _remote_notes(used: Mapping[str, ArmModel]) -> list[str]:
    return [
        f"{model.name} answered over the network, from {model.remote.where}: its time is that of the requests, its tokens are "
        "as the provider counts them."
        for model in used.values()
        if model.remote is not None
    ]


def _version_name(dataset: Path) -> str:
    manifest = dataset / MANIFEST
    return (
        str(json.loads(manifest.read_text(encoding="utf-8"))["name"]) if manifest.exists() else dataset.name
    )


def _parquet(predictions: Sequence[Prediction]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "example_id": p.case.example_id,
            "task": p.case.task,
            "patient_ref": p.case.patient_ref,
            "specialty": p.case.specialty,
            "arm": p.arm,
            "answer": p.answer,
            "prompt_tokens": p.prompt_tokens,
            "new_tokens": p.new_tokens,
            "finished": p.finished,
            "prompt_cut": p.prompt_cut,
            "context_cut": p.context_cut,
            "seconds": p.seconds,
            "shown": list(p.shown),
            "cited": list(p.cited),
            "primary": p.primary,
            **{name: p.scores.get(name) for name in METRICS},
        }
        for p in predictions
    ]
    schema = pa.schema(
        [(name, pa.string()) for name in ("example_id", "task", "patient_ref", "specialty", "arm", "answer")]
        + [(name, pa.int64()) for name in ("prompt_tokens", "new_tokens")]
        + [(name, pa.bool_()) for name in ("finished", "prompt_cut", "context_cut")]
        + [(name, pa.list_(pa.string())) for name in ("shown", "cited")]
        + [(name, pa.float64()) for name in ("seconds", "primary", *METRICS)]
    )
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), stream)
    return stream.getvalue()
