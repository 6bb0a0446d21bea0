"""`preceptor serve`: an OpenAI-compatible server for the champion, and its API keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.errors import UsageError


@click.group(invoke_without_command=True)
@click.option(
    "--alias", default="champion", show_default=True, help="Whose version answers: NAME@ALIAS, or an alias."
)
@click.option("--rag", is_flag=True, help="Offer earlier cases with citations to requests that ask for them.")
@click.option("--port", type=click.IntRange(0, 65535), help="[default: serving.port]")
@click.option("--host", help="Another address than 127.0.0.1 needs API keys. [default: serving.host]")
@click.option("--shadow", default="", metavar="REF", help="Answers beside, logged and never shown.")
@click.option(
    "--canary", default="", metavar="REF=SHARE", help="Takes a share of the keys, such as candidate=0.05."
)
@click.option(
    "--also", multiple=True, metavar="REF", help="Another version that a request may name as its model."
)
@click.pass_context
def serve(
    ctx: click.Context,
    alias: str,
    rag: bool,
    port: int | None,
    host: str | None,
    shadow: str,
    canary: str,
    also: tuple[str, ...],
) -> None:
    """An OpenAI-compatible server for the champion, which follows the alias. Ctrl-C or SIGTERM ends it in order."""
    if ctx.invoked_subcommand:
        return
    from preceptor.cli.ui import is_taken
    from preceptor.serving.follower import Plan, full_refs
    from preceptor.serving.running import Server

    given = settings()
    changed = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    given = given.model_copy(update={"serving": given.serving.model_copy(update=changed)})
    if given.serving.port and is_taken(given.serving.port):
        # Before minutes go into loading a model.
        raise UsageError(f"Port {given.serving.port} is in use; --port takes another.")
    canary, share = _share(canary)
    name = given.release.model_name
    main, *_ = full_refs(name, [alias])
    plan = Plan(
        main,
        "".join(full_refs(name, [shadow])) if shadow else "",
        "".join(full_refs(name, [canary])) if canary else "",
        share,
        tuple(full_refs(name, also)),
    )
    server = Server(workspace(), given, plan, rag=rag)
    server.start()

    def ready(address: str) -> None:
        loaded = server.follower.get(plan.main)
        click.echo(f"{plan.main} ({loaded.name if loaded else 'nothing'}) answers at {address}/v1", err=True)

    try:
        server.run(given.serving, ready)
    finally:
        server.stop()


def _share(canary: str) -> tuple[str, float]:
    if not canary:
        return "", 0.0
    ref, equals, share = canary.rpartition("=")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not equals or not 0 < value <= 1:
        raise UsageError("--canary takes REF=SHARE with a share above 0 and up to 1, such as candidate=0.05.")
    return ref, value


@serve.group()
def keys() -> None:
    """API keys: who may ask what."""


def _open() -> Any:
    from preceptor.serving.api_keys import ApiKeys

    return ApiKeys(workspace().serving)


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="chat, completions, rag, feedback or metrics. [default: chat rag feedback]",
)
@click.option("--requests-per-minute", type=click.IntRange(1), help="[default: serving.requests_per_minute]")
@json_option
def add(name: str, scopes: tuple[str, ...], requests_per_minute: int | None, as_json: bool) -> None:
    """Make a key and print it once; only a hash of it is kept."""
    from preceptor.serving.api_keys import DEFAULT_SCOPES

    key, sent = _open().add(name, scopes or DEFAULT_SCOPES, requests_per_minute or 0)
    emit(
        {**_facts(key), "key": sent}, as_json, f"{sent}\nKey {key.id} for {key.name}; it is not shown again."
    )


@keys.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show all keys, without what they are sent as."""
    found = [_facts(key) for key in _open().list()]
    rows = [(k["id"], k["name"], " ".join(k["scopes"]), k["created"], k["revoked"]) for k in found]
    header = ("key", "name", "scopes", "made", "revoked")
    emit(found, as_json, columns(rows, header) if rows else "No key yet: `preceptor serve keys add NAME`.")


@keys.command()
@click.argument("key")
@json_option
def revoke(key: str, as_json: bool) -> None:
    """End a key, by its id; running servers refuse it from the next request on."""
    ended = _open().revoke(key)
    emit(_facts(ended), as_json, f"Revoked {ended.id} ({ended.name}).")


def _facts(key: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "sha256"}
