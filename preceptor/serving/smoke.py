"""Loads a version as the server will, from the same files and with the same code, and asks it the smoke prompts."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from preceptor.errors import PreceptorError
from preceptor.evaluation.evaluate import PREDICTIONS, REPORT_JSON
from preceptor.evaluation.loading import LoadedModel, choose_dtype
from preceptor.evaluation.prompting import Question, encode
from preceptor.release.registry import Tracking, VersionInfo, bundle_of
from preceptor.release.smoke import Reply, Smoke, Suite, judged, read_suite, refused
from preceptor.release.store import Store
from preceptor.serving.prompts import chat_ids
from preceptor.settings import Settings, Workspace
from preceptor.tables import EXAMPLES, read_examples, read_rows

if TYPE_CHECKING:
    from preceptor.serving.versions import Version

_ARM = "finetuned"  # the arm that asks the version by itself, without examples or retrieved texts


@dataclass(frozen=True, slots=True)
class _Asked:
    id: str
    ids: tuple[int, ...]
    expected: str | None = None


def smoke_of(workspace: Workspace, settings: Settings, tracking: Tracking, store: Store) -> Smoke:
    """What promotion calls with a version: load its files, ask, judge. A model at a provider is asked nothing, and so is
    every model where the settings name no prompts; the facts say so."""

    def ask(info: VersionInfo) -> dict[str, Any]:
        suite = read_suite(settings.release.smoke_prompts)
        if suite is None:
            return _nothing("release.smoke_prompts names no file")
        if "measured_by" in bundle_of(tracking, info)["base_model"]:
            return _nothing("the model is at a provider: there are no files to load")
        return _ask(workspace, settings, tracking, store, info, suite)

    return ask


def _nothing(why: str) -> dict[str, Any]:
    return {"asked": 0, "why": why}


def _ask(
    workspace: Workspace,
    settings: Settings,
    tracking: Tracking,
    store: Store,
    info: VersionInfo,
    suite: Suite,
) -> dict[str, Any]:
    from preceptor.serving.sharing import SharedBases
    from preceptor.serving.versions import served

    started = time.monotonic()
    version = served(tracking, store, workspace, info.ref)
    dtype = choose_dtype(workspace.reports / ".answers" / "number-format.json")
    try:
        loaded = SharedBases(dtype, settings.serving.adapters).load(version.model)
    except PreceptorError as error:
        raise refused(info.ref, f"they do not load: {error}") from None
    loading = time.monotonic() - started
    asked = [
        _Asked(p.id, chat_ids(loaded.tokenizer, [{"role": "user", "content": p.prompt}]))
        for p in suite.prompts
    ]
    cases, why = _evaluated(workspace, version, loaded, dtype, suite)
    try:
        replies = [_reply(loaded, each, suite) for each in (*asked, *cases)]
    except (RuntimeError, ValueError, IndexError) as error:  # its message could hold text
        raise refused(info.ref, f"asking them ended in {type(error).__name__}") from None
    facts = judged(info.ref, suite, replies)
    return {
        **facts,
        **({"not_compared": why} if why else {}),
        "number_format": dtype,
        "loading_seconds": round(loading, 2),
    }


def _evaluated(
    workspace: Workspace, version: Version, loaded: LoadedModel, dtype: str, suite: Suite
) -> tuple[list[_Asked], str]:
    """Cases of the version's own evaluation with the answers it got there, the first by id; and why there are none."""
    import json

    folder = workspace.reports / "evaluation" / version.info.evaluation
    cases = workspace.data / "curated" / version.info.data.get("curated", "-") / EXAMPLES
    if not suite.evaluated_cases:
        return [], "evaluated_cases is 0"
    if not all(path.exists() for path in (folder / PREDICTIONS, folder / REPORT_JSON, cases)):
        return [], "the evaluation's cases and answers are not in this home"
    report = json.loads((folder / REPORT_JSON).read_text(encoding="utf-8"))
    if report["number_format"] != dtype:
        return [], f"evaluated in {report['number_format']}, served in {dtype}"
    if report["settings"]["max_new_tokens"] < suite.same_tokens:
        return [], "the evaluation stopped its answers before same_tokens"
    prompts = {example.example_id: example.prompt for example in read_examples(cases)}
    answers = {
        row["example_id"]: row["answer"]
        for row in read_rows(folder / PREDICTIONS)
        if row["arm"] == _ARM and row["example_id"] in prompts
    }
    limit = report["settings"]["max_prompt_tokens"]
    chosen = [
        _Asked(id, encode(loaded.tokenizer, Question(prompts[id]), limit).ids, answers[id])
        for id in sorted(answers)[: suite.evaluated_cases]
    ]
    return chosen, "" if chosen else "the evaluation asked the version nothing by itself"


def _reply(loaded: LoadedModel, asked: _Asked, suite: Suite) -> Reply:
    started = time.monotonic()
    ids, ended = _written(loaded, asked.ids, suite)
    seconds = time.monotonic() - started

    def text(tokens: Sequence[int]) -> str:  # as evaluation reads them
        return str(loaded.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    return Reply(
        asked.id,
        text(ids[: suite.same_tokens]),
        ended and len(ids) <= suite.same_tokens,
        not text(ids),
        _finite(loaded, (*asked.ids, *ids), len(ids) + 1),
        seconds,
        asked.expected,
    )


def _written(loaded: LoadedModel, prompt: Sequence[int], suite: Suite) -> tuple[list[int], bool]:
    """The tokens that the server would write, one after another, and whether the model ended there. Stopped in the middle
    when its time is over."""
    from preceptor.serving.lanes import Job, lane_of
    from preceptor.serving.sampling import Sampling

    ids: list[int] = []
    reasons: list[str] = []

    def emit(token: int | None, reason: str) -> None:
        if token is None:
            reasons.append(reason)
        else:
            ids.append(token)

    lane = lane_of(loaded, rows=1)
    job = Job(tuple(prompt), suite.max_new_tokens, Sampling(), emit)
    timer = threading.Timer(suite.seconds, job.cancelled.set)
    timer.start()
    try:
        lane.read(job)
        while lane.active:
            lane.step()
    finally:
        timer.cancel()
    return ids, reasons == ["stop"]


def _finite(loaded: LoadedModel, ids: Sequence[int], last: int) -> bool:
    """Whether the logits behind the last tokens are numbers. A token masked for ever has -inf, which is allowed."""
    import torch

    device = next(loaded.model.parameters()).device
    with torch.inference_mode():
        logits = loaded.model(
            input_ids=torch.tensor([list(ids)], device=device), use_cache=False, logits_to_keep=last
        ).logits[0, -last:]
    return not bool((logits.isnan() | logits.isposinf()).any() or logits.isneginf().all(dim=-1).any())
