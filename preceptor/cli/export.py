"""`preceptor export`: a deployment bundle of a version, with checksums, card and proof."""

from __future__ import annotations

from pathlib import Path

import click

from preceptor.cli._common import emit, json_option, settings, workspace

_KINDS = ("hf", "gguf", "vllm-bundle", "ollama-bundle", "sagemaker", "azureml")


@click.command()
@click.option("--alias", default="champion", show_default=True, help="NAME@ALIAS, NAME/VERSION, or an alias.")
@click.option("--to", "kind", required=True, type=click.Choice(_KINDS), help="What kind of bundle.")
@click.option(
    "--weights", type=click.Choice(("merged", "adapter")), default="merged", show_default=True, help="Of hf."
)
@click.option(
    "--type",
    "gguf_type",
    type=click.Choice(("f16", "f32", "q8_0")),
    default="f16",
    show_default=True,
    help="Of GGUF.",
)
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def export(alias: str, kind: str, weights: str, gguf_type: str, folder: Path, as_json: bool) -> None:
    """Write a bundle of a version to FOLDER, and prove that it answers as the evaluated model did."""
    from preceptor.release.card import card_of
    from preceptor.release.registry import resolve, tracking_of
    from preceptor.release.standing import standing
    from preceptor.release.store import open_store
    from preceptor.serving.export.bundle import make_bundle
    from preceptor.serving.export.policy import require_approved, require_target
    from preceptor.serving.follower import full_refs
    from preceptor.serving.versions import served

    ours, given = workspace(), settings()
    require_target(kind, given.export)
    tracking, store = tracking_of(ours), open_store(ours, given.vault)
    (ref,) = full_refs(given.release.model_name, [alias])
    info = resolve(tracking, ref)
    require_approved(standing(store, info.ref), given.release.required_approvals)
    version = served(tracking, store, ours, info.ref)
    card = card_of(tracking, store, info.ref, given.release.required_approvals)
    found = make_bundle(version, kind, folder, card, weights=weights, gguf_type=gguf_type)
    facts = {"model": info.ref, "kind": kind, "folder": str(folder), "proof": found}
    said = (
        f"{info.ref} as {kind} in {folder}. Proved: {found['places']} places, largest difference "
        f"{found['largest_difference']:.2g} of the logits' range ({found['tolerance']:g} allowed).\n"
        f"Where it is taken to: `python {folder}/prove.py`."
    )
    emit(facts, as_json, said)
