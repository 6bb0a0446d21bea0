"""`preceptor data`: the data set versions."""

from __future__ import annotations

import json
from typing import Any

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.cli.data_review import review
from preceptor.errors import UsageError


@click.group()
def data() -> None:
    """The data set versions."""


@data.command()
@click.option("--use-case", "use_cases", multiple=True, metavar="NAME", help="Only these use cases.")
@json_option
def show(use_cases: tuple[str, ...], as_json: bool) -> None:
    """Show every data set version with its facts, the newest of each stage marked."""
    found = _versions()
    for version in found:
        table = version["facts"].get("by_task")
        if use_cases and table:
            unknown = set(use_cases) - set(table)
            if unknown:
                raise UsageError(f"{', '.join(sorted(unknown))}: no such use case in {version['version']}.")
            version["facts"]["by_task"] = {task: table[task] for task in use_cases}

    def said() -> str:
        if not found:
            return "No data set version yet; `preceptor run` makes the first."
        rows = [
            (v["stage"], v["version"], "newest" if v["newest"] else "", _short(v["facts"])) for v in found
        ]
        return columns(rows, ("stage", "version", "", "facts"))

    emit(found, as_json, said)


@data.command()
@click.option(
    "--curve/--no-curve",
    default=None,
    help="Measure the learning curve, four short trainings. [default: the setting]",
)
@json_option
def sufficiency(curve: bool | None, as_json: bool) -> None:
    """Say for each use case whether the curated examples are enough, and what more of them would buy."""
    from preceptor.progress import reporter
    from preceptor.release.registry import experiment, tracking_of
    from preceptor.sufficiency.stage import PLOT, assess

    ours = workspace()
    tracking = tracking_of(ours)
    version = assess(
        ours,
        settings(),
        tracking.uri,
        lambda: experiment(tracking, "learning curves"),
        curve,
        reporter("trainings"),
    )

    def said() -> str:
        rows = [
            (task, str(f["train"]), str(f["effective"]), f["verdict"], f["advice"])
            for task, f in version.facts["tasks"].items()
        ]
        head = ("use case", "examples", "different", "verdict", "")
        return f"{columns(rows, head)}\nlearning curve: {version.path / PLOT}"

    emit({"version": version.name, "path": str(version.path), **version.facts}, as_json, said)


@data.command()
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Trainings of each arm.")
@json_option
def ablation(seeds: int, as_json: bool) -> None:
    """Measure whether the synthetic rows help: brief trainings with and without them, at the same number of steps."""
    from preceptor.progress import reporter
    from preceptor.release.registry import experiment, tracking_of
    from preceptor.synthesis.ablation import ablate

    ours = workspace()
    tracking = tracking_of(ours)
    name = "synthetic rows, ablation"
    version = ablate(
        ours, settings(), tracking.uri, lambda: experiment(tracking, name), seeds, reporter("arms")
    )
    facts = version.facts

    def said() -> str:
        rows = [(arm, *(f"{loss:.4f}" for loss in facts[arm])) for arm in ("with", "without")]
        head = ("validation loss", *(f"seed {n + 1}" for n in range(seeds)))
        low, high = facts["interval"] or ("?", "?")
        return f"{columns(rows, head)}\n{facts['rows']} synthetic rows, gain {facts['gain']} ({low} to {high}): {facts['verdict']}"

    emit({"version": version.name, **facts}, as_json, said)


@data.command()
@click.option("--use-case", "use_cases", multiple=True, metavar="NAME", help="Only these use cases.")
@click.option("--version", "name", metavar="NAME", help="A curated version. [default: the newest]")
@json_option
def card(use_cases: tuple[str, ...], name: str | None, as_json: bool) -> None:
    """Print the data card of a curated version, and write it as README.md (Hugging Face) and croissant.json.

    Its figures are counted from the version; it holds no text of a document.
    """
    from preceptor.curation.cards import card_facts, markdown, write_card
    from preceptor.curation.curate import STAGE
    from preceptor.versions import load, newest

    ours = workspace()
    try:
        version = load(ours.data, STAGE, name) if name else newest(ours.data, STAGE)
    except FileNotFoundError:
        raise UsageError(f"There is no curated version {name}: `preceptor data show` lists them.") from None
    known = {case["task"] for case in version.manifest["config"]["use_cases"]}
    if unknown := set(use_cases) - known:
        raise UsageError(f"{', '.join(sorted(unknown))}: no such use case in {version.name}.")
    facts = card_facts(ours.data, version, use_cases)
    folder = write_card(facts, version, ours.reports) if not use_cases else None
    if folder:
        click.echo(f"written: {folder}", err=True)
    emit({**facts, "path": folder and str(folder)}, as_json, lambda: markdown(facts))


@data.command("grow-test")
@json_option
def grow_test(as_json: bool) -> None:
    """Let patients who came after the first curated version join the test split, too.

    It is frozen otherwise: new patients go to training and validation, so that scores stay comparable. After this, the
    next `preceptor run` evaluates on more cases, and earlier scores are of fewer.
    """
    from preceptor.consent import unusable_patients
    from preceptor.curation.curate import grow_test as grow
    from preceptor.deid.stage import usable_versions
    from preceptor.vault import open_vault

    ours, chosen = workspace(), settings()
    vault = open_vault(ours, chosen.vault)
    try:
        sources = usable_versions(ours.data, vault.batches())
        unusable = unusable_patients(vault, chosen.intake)
    finally:
        vault.close()
    joined = grow(ours.data, sources, chosen.curation, unusable)
    said = ", ".join(f"{n} {split}" for split, n in sorted(joined.items())) or "nobody: all are in a split"
    emit(joined, as_json, f"Joined: {said}.")


data.add_command(review)


def _versions() -> list[dict[str, Any]]:
    root = workspace().data
    found = []
    for path in sorted(root.glob("*/*/manifest.json")):
        if path.parent.name.startswith("."):
            continue
        manifest = json.loads(path.read_text(encoding="utf-8"))
        pointer = path.parent.parent / "latest"
        newest = pointer.exists() and pointer.read_text().strip() == manifest["name"]
        found.append(
            {
                "stage": manifest["stage"],
                "version": manifest["name"],
                "newest": newest,
                "inputs": manifest["inputs"],
                "facts": manifest["facts"],
            }
        )
    return found


def _short(facts: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in facts.items() if isinstance(v, int | float | str))
