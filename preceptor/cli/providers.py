"""`preceptor providers`: fine-tuning and synthesis by a provider, who approved what, and its jobs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, get_args

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace

if TYPE_CHECKING:
    from preceptor.providers.policy import Answering, Sending, Writing
    from preceptor.settings import Settings
    from preceptor.versions import DatasetVersion


@click.group()
def providers() -> None:
    """Providers that fine-tune: what is configured, approvals, jobs. Training itself: `preceptor train --provider NAME`."""


@providers.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show the configured providers, and what stands against sending de-identified text there."""
    from preceptor.providers.policy import Purpose, approvals, terms_broken
    from preceptor.release.store import open_store

    given = settings()
    found: list[dict[str, Any]] = []
    with closing(open_store(workspace(), given.vault)) as store:
        for name, provider in given.providers.items():
            signed = [e for purpose in get_args(Purpose) for e in approvals(store, name, purpose)]
            found.append(
                {
                    "name": name,
                    "base_url": provider.base_url,
                    "api": provider.api,
                    "model": provider.model,
                    "region": provider.region,
                    "zone": provider.zone,
                    "baa": provider.baa.model_dump(mode="json") if provider.baa else None,
                    "refused": [refusal.rule for refusal in terms_broken(name, provider)],
                    "approvals": [{"event": e.id, "by": e.actor, "at": e.at} for e in signed],
                }
            )
    rows = [
        (p["name"], p["base_url"], p["model"], len(p["approvals"]), ", ".join(p["refused"]) or "nothing")
        for p in found
    ]
    table = columns(rows, ("provider", "endpoint", "model", "approvals", "stands against it"))
    emit(found, as_json, table if rows else "No provider is configured; docs/providers.md shows how.")


@providers.command()
@click.argument("name")
@click.option("--as", "as_user", required=True, metavar="USER", help="Who signs: a privacy officer.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; signed along. Name no patient.")
@click.option(
    "--for",
    "purpose",
    type=click.Choice(["training", "synthesis", "evaluation"]),
    default="training",
    show_default=True,
    help="What is sent for: to be trained on and evaluated, to be rewritten, or to be answered by the model as it is.",
)
@json_option
def approve(name: str, as_user: str, password_stdin: bool, reason: str, purpose: str, as_json: bool) -> None:
    """Sign that the newest data may be sent to NAME, at the cost that is estimated: for one job of training and its evaluation,
    for synthesis, or for the arm `endpoint` of the evaluation."""
    from preceptor.cli.users import read_password
    from preceptor.providers import policy
    from preceptor.release.store import open_store

    given = settings()
    make, table, then = _PURPOSES[purpose]
    sending = make(given, name)
    policy.require_terms(name, policy.provider_named(name, given))
    password = read_password(password_stdin, confirm=False)
    with closing(open_store(workspace(), given.vault)) as store:
        event = policy.approve(store, sending, as_user=as_user, password=password, reason=reason)
    facts = {"event": event.id, "by": event.actor, "at": event.at, **event.payload}
    said = f"{event.actor} approved this (event {event.id}). Next: preceptor {then.format(name=name)}"
    emit(facts, as_json, lambda: f"{table(sending.facts())}\n\n{said}")


def _training(given: Settings, name: str) -> Sending:
    from preceptor.providers.stage import plan

    return plan(workspace(), given, name).sending


def _writing(given: Settings, name: str) -> Writing:
    from preceptor.errors import UsageError
    from preceptor.providers.writing import plan

    if given.synthesis.provider != name:
        raise UsageError(
            f"synthesis.provider is {given.synthesis.provider or 'not set'}: set synthesis.generator to provider and "
            f"synthesis.provider to {name} first, since what is signed is what these settings would send."
        )
    return plan(given, _curated(given))


def _answering(given: Settings, name: str) -> Answering:
    from preceptor.errors import UsageError
    from preceptor.providers.answers import plan

    if given.evaluation.endpoint != name:
        raise UsageError(
            f"evaluation.endpoint is {given.evaluation.endpoint or 'not set'}: set it to {name} and add endpoint to "
            "evaluation.arms first, since what is signed is what these settings would send."
        )
    return plan(given, _curated(given))


def _curated(given: Settings) -> DatasetVersion:
    """The newest curated version, if it may be used."""
    from preceptor.consent import require_usable
    from preceptor.quality import require
    from preceptor.versions import newest

    data = workspace().data
    curated = newest(data, "curated")
    require(data, "curated_examples", curated.name)
    require_usable(workspace(), given.intake, [curated], "Sending to a provider")
    return curated


@providers.command()
@json_option
def jobs(as_json: bool) -> None:
    """Show this home's jobs with providers, as they were when last looked at. Asks nobody."""
    from preceptor.providers.cost import price_of, said, training_cost
    from preceptor.providers.state import all_jobs

    given = settings()
    found: list[dict[str, Any]] = []
    for folder, state in all_jobs(workspace()):
        price = _price(state.provider, given, price_of)
        found.append(
            {
                "job": state.job,
                "provider": state.provider,
                "endpoint": state.endpoint,
                "model": state.model,
                "status": state.status,
                "error": state.error,
                "fine_tuned_model": state.fine_tuned_model,
                "trained_tokens": state.trained_tokens,
                "cost": training_cost(state.trained_tokens, price).dollars,
                "left_there": state.files,
                "earlier": state.ended,
                "folder": str(folder),
            }
        )
    rows = [
        (j["job"], j["provider"], j["status"], j["trained_tokens"], said(j["cost"]), j["fine_tuned_model"])
        for j in found
    ]
    table = columns(rows, ("job", "provider", "status", "trained tokens", "cost", "model"))
    emit(found, as_json, table if rows else "No job yet: `preceptor train --provider NAME` begins one.")


@providers.command()
@click.argument("job")
@json_option
def cancel(job: str, as_json: bool) -> None:
    """End JOB at its provider, and delete the files that were uploaded for it."""
    from preceptor.providers.connection import Connection
    from preceptor.providers.finetune import FineTuning
    from preceptor.providers.policy import provider_named
    from preceptor.providers.state import job_named

    folder, state = job_named(workspace(), job)
    provider = provider_named(state.provider, settings())
    with Connection(provider) as connection:
        FineTuning(connection, folder, state).cancel()
    facts = {"job": job, "status": state.status, "trained_tokens": state.trained_tokens}
    emit(facts, as_json, f"{job} is {state.status}.")


def sending_table(found: dict[str, Any]) -> str:
    """What would be sent, for people: counts and hashes only."""
    from preceptor.providers.cost import said

    rows = [
        (file, f"{m['examples']:,}", f"{m['bytes']:,}", f"{m['tokens']:,}", m["sha256"][:12])
        for file, m in found["files"].items()
    ]
    cost = said(found["estimated_cost"])
    if (price := found.get("price")) and price["per_million"]:
        sure = "" if price["certain"] else ", not certain"
        cost += (
            f" (${price['per_million']:g} for a million tokens, {price['as_of']}{sure}: {price['source']})"
        )
    lines = [
        f"{found['provider']}: {found['model']} at {found['endpoint']} ({found['region']})",
        "data: " + ", ".join(f"{stage}/{version}" for stage, version in found["data"].items()),
        "",
        columns(rows, ("file", "examples", "bytes", "tokens, about", "sha256")),
        "",
        f"{found['epochs']} epochs, about {found['estimated_tokens']:,} tokens to train: {cost}",
        f"{found['test_cases']:,} test cases are asked of the tuned model when it is evaluated.",
    ]
    return "\n".join([*lines, *(f"Not yet: {refusal['text']}" for refusal in found.get("refused", ()))])


def writing_table(found: dict[str, Any]) -> str:
    """What would be rewritten, for people: counts and hashes only."""
    from preceptor.providers.cost import said

    return "\n".join(
        [
            f"{found['provider']}: {found['model']} at {found['endpoint']} ({found['region']})",
            f"{found['candidates']:,} training examples of curated/{found['curated']}, each rewritten in at most "
            f"{found['max_new_tokens']:,} tokens",
            f"instruction {found['instruction'][:12]}, about {found['estimated_tokens']:,} tokens: {said(found['estimated_cost'])}",
        ]
    )


def answering_table(found: dict[str, Any]) -> str:
    """What would be asked, for people: counts only."""
    from preceptor.providers.cost import said

    return "\n".join(
        [
            f"{found['provider']}: {found['model']} at {found['endpoint']} ({found['region']})",
            f"{found['cases']:,} test cases of curated/{found['curated']}, each answered in at most {found['max_new_tokens']:,} tokens",
            f"about {found['estimated_tokens']:,} tokens: {said(found['estimated_cost'])}",
        ]
    )


# What would be sent for a purpose, how it is shown, and what comes next.
_PURPOSES: dict[
    str, tuple[Callable[[Settings, str], Sending | Writing | Answering], Callable[..., str], str]
] = {
    "training": (_training, sending_table, "train --provider {name}"),
    "synthesis": (_writing, writing_table, "run"),
    "evaluation": (_answering, answering_table, "evaluate"),
}


def _price(name: str, given: Any, price_of: Any) -> Any:
    from preceptor.planning import load_prices

    return price_of(load_prices(), given.providers[name]) if name in given.providers else None
