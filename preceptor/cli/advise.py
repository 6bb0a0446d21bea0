"""`preceptor advise`: prompt, RAG or fine-tuning for each use case; a service or machines of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.errors import UsageError

if TYPE_CHECKING:
    from preceptor.advice.approach import Changes
    from preceptor.advice.needs import Deployment

VOLUME = 10_000  # answers a month, where `--provider` is not told


@click.command()
@click.option("--use-case", "use_cases", multiple=True, metavar="NAME", help="Only these use cases.")
@click.option(
    "--knowledge-changes",
    type=click.Choice(("daily", "monthly", "yearly", "never")),
    help="How often what the answers rest on changes.",
)
@click.option("--volume", type=click.FloatRange(min=1), metavar="N", help="Answers a month.")
@click.option("--provider", is_flag=True, help="Compare services with machines of one's own instead.")
@click.option("--model", metavar="REF", help="With --provider: the model to run. [default: base_model]")
@click.option("--gpu", metavar="NAME", help="With --provider: only this GPU.")
@click.option(
    "--deployment",
    type=click.Choice(("on-premises", "cloud-baa", "hybrid")),
    default="hybrid",
    show_default=True,
    help="With --provider: where patients' data may go.",
)
@click.option(
    "--prompt-tokens", type=click.IntRange(1), default=1500, show_default=True, help="With --provider."
)
@click.option(
    "--answer-tokens", type=click.IntRange(1), default=300, show_default=True, help="With --provider."
)
@click.option("--at-once", type=click.IntRange(1), default=8, show_default=True, help="Answers at a time.")
@click.option(
    "--hours",
    type=click.FloatRange(min=1, max=744),
    default=730,
    show_default=True,
    help="With --provider: hours a month that a machine is on.",
)
@click.option(
    "--prices", type=click.Path(path_type=Path), help="A price file. [default: recipes/prices.yaml]"
)
@json_option
@click.pass_context
def advise(
    context: click.Context,
    use_cases: tuple[str, ...],
    knowledge_changes: str | None,
    volume: float | None,
    provider: bool,
    model: str | None,
    gpu: str | None,
    deployment: str,
    prompt_tokens: int,
    answer_tokens: int,
    at_once: int,
    hours: float,
    prices: Path | None,
    as_json: bool,
) -> None:
    """Prompt, RAG, fine-tuning or both, for each use case: by the newest evaluation and the verdict on the data.

    With --provider: a service by the token, or a model on hired or bought machines; what a year costs, and from which volume
    the answer turns. docs/choosing.md tells how.
    """
    if provider:
        if use_cases or knowledge_changes:
            raise UsageError(
                "--use-case and --knowledge-changes are not asked with --provider: leave them out."
            )
        load = (volume or VOLUME, prompt_tokens, answer_tokens, at_once, hours)
        _providers(model, gpu, deployment, load, prices, as_json)
        return
    only = ("model", "gpu", "deployment", "prompt_tokens", "answer_tokens", "at_once", "hours", "prices")
    given = [
        name for name in only if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(
            f"--{given[0].replace('_', '-')} is asked with --provider only: add it, or leave this out."
        )
    _approach(use_cases, cast("Changes | None", knowledge_changes), volume, as_json)


def _approach(
    use_cases: tuple[str, ...], changes: Changes | None, volume: float | None, as_json: bool
) -> None:
    from preceptor.advice.approach import choose, document
    from preceptor.advice.evidence import gather

    evidence = gather(workspace())
    known = evidence.tasks or list(settings().curation.tasks)
    if unknown := sorted(set(use_cases) - set(known)):
        raise UsageError(
            f"--use-case {', '.join(unknown)}: nothing is known of it here; there are {', '.join(known)}."
        )
    choices = [document(choose(task, evidence, changes, volume)) for task in use_cases or known]
    facts = {
        "evidence": {"evaluation": None, "sufficiency": None, **(evidence.names or {})},
        "knowledge_changes": changes,
        "volume": volume,
        "use_cases": choices,
    }
    emit(facts, as_json, lambda: "\n\n".join(map(_choice_said, choices)))


def _choice_said(choice: dict[str, Any]) -> str:
    sure = {
        "shown": "shown by the evaluation",
        "not shown": "not shown by the evaluation",
        "no evidence": "no evidence yet",
    }
    parts = [f"{choice['use_case']}: {choice['choice']} ({sure[choice['sure']]})"]
    if choice["arms"]:
        rows = [
            (
                arm["label"],
                f"{arm['mean']:.1f}",
                f"{arm['low']:.1f} to {arm['high']:.1f}",
                arm["prompt_tokens"],
                arm["new_tokens"],
                arm["seconds"],
                "?" if arm["hours_a_month"] is None else arm["hours_a_month"],
            )
            for arm in choice["arms"].values()
        ]
        head = ("", "score", "95 % interval", "prompt", "answer", "s/answer", "h a month")
        parts.append(columns(rows, head))
    for title, key in (
        ("Why", "why"),
        ("Mind", "cautions"),
        ("Not known", "missing"),
        ("What would change this", "changes"),
    ):
        if choice[key]:
            parts.append("\n".join([f"{title}:", *(f"  {line}" for line in choice[key])]))
    return "\n".join(parts)


def _providers(
    model: str | None,
    gpu: str | None,
    deployment: str,
    load: tuple[float, int, int, int, float],
    prices: Path | None,
    as_json: bool,
) -> None:
    from preceptor.advice.provider import compare, document
    from preceptor.advice.running import Workload
    from preceptor.models import load_apis
    from preceptor.planning import find_subject, gpu_named, load_prices

    told, apis = load_prices(prices) if prices else load_prices(), load_apis()
    subject = find_subject(model or settings().base_model, {}, workspace())
    gpus = (gpu_named(gpu, told),) if gpu else ()
    asked = Workload(*load)
    found = compare(
        subject.name, subject.architecture, told, apis, asked, cast("Deployment", deployment), gpus
    )
    facts = document(found, subject.name, asked)
    emit(facts, as_json, lambda: _offers_said(facts))


def _offers_said(facts: dict[str, Any]) -> str:
    rows = [
        (
            one["name"],
            "?" if one["year"] is None else f"${one['year']:,.0f}",
            "none needed" if one["kind"] == "owned" else {True: "yes", False: "no", None: "?"}[one["baa"]],
            "yes" if one["allowed"] else "no",
            one["as_of"],
            "" if one["certain"] else "not certain",
        )
        for one in facts["offers"]
    ]
    best = facts["best"]
    sure = "" if facts["sure"] else " (not sure)"
    parts = [
        f"{best or 'Nothing with a known price'}{sure}, for {facts['workload']['answers']:,.0f} answers a month",
        columns(rows, ("", "a year", "BAA", "may be used", "price of", "")),
        "\n".join(["Why:", *(f"  {line}" for line in facts["why"])]),
    ]
    numbers = [
        f"  {one['name']}: {one['numbers']}. {one['deployment']} {one['terms']}" for one in facts["offers"]
    ]
    parts.append("\n".join(["The numbers behind it:", *numbers]))
    parts.append("\n".join(["What would change this:", *(f"  {line}" for line in facts["changes"])]))
    return "\n\n".join(parts)
