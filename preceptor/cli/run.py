"""`preceptor run`: the main job, whole."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from shlex import quote

import click

from preceptor.cli._common import json_option, program, settings, workspace
from preceptor.settings import PROFILES, ROOT, profile_path

STAGES = (
    "raw_documents", "deidentified_documents", "curated_examples", "data_sufficiency", "synthetic_examples",
    "fine_tuned_model", "evaluation_report", "candidate_version",
)  # fmt: skip


@click.command()
@click.option(
    "--profile",
    default="demo",
    show_default=True,
    envvar="PRECEPTOR_PROFILE",
    help="A name in recipes/profiles, or a YAML file.",
)
@click.option(
    "--use-case", "use_cases", multiple=True, metavar="NAME", help="Only these use cases; may be repeated."
)
@click.option(
    "--until", type=click.Choice(STAGES), metavar="ASSET", help=f"Stop after this asset: {', '.join(STAGES)}."
)
@json_option
@click.pass_context
def run(
    ctx: click.Context, profile: str, use_cases: tuple[str, ...], until: str | None, as_json: bool
) -> None:
    """Intake, de-identification, gates, curation, synthesis, training, evaluation: an evaluated candidate that waits
    for approval.

    Killed at any moment, the same command goes on where it stopped.
    """
    profile_file = profile_path(profile).absolute()
    typed = program(home=True)
    if profile != "demo" and not os.environ.get("PRECEPTOR_PROFILE"):
        # What comes next, promotion for one, goes by the same settings.
        named = profile if profile_file.parent == PROFILES else str(profile_file)
        typed = f"PRECEPTOR_PROFILE={quote(named)} {typed}"
    config: Path | None = ctx.find_root().obj["config"]
    with tempfile.TemporaryDirectory() as folder:
        if use_cases:
            config = _narrowed(config, use_cases, Path(folder))
            ctx.find_root().obj["config"] = config
        settings(str(profile_file))
        environment = os.environ | {
            "PRECEPTOR_HOME": str(workspace().home),
            "PRECEPTOR_PROFILE": str(profile_file),
            "PRECEPTOR_CONFIG": str(config) if config else "",
        }
        # The domain knows nothing of Dagster: the job is a program of its own.
        command = [
            sys.executable,
            "-m",
            "pipelines.main_job",
            *(["--json"] if as_json else []),
            "--program",
            typed,
        ]
        if until:
            command += ["--until", until]
        process = subprocess.Popen(command, env=environment, cwd=ROOT)
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # The terminal sent it the interrupt too; it stops at a place from where it can go on.
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    ctx.exit(130 if code == -2 else code)


def _narrowed(config: Path | None, use_cases: tuple[str, ...], folder: Path) -> Path:
    """A configuration file that says the same and names the use cases."""
    import yaml

    from preceptor.settings import merge, read_yaml

    values = read_yaml(config)[0] if config else {}
    path = folder / "use-cases.yaml"
    path.write_text(yaml.safe_dump(merge(values, {"curation": {"tasks": list(use_cases)}})))
    return path
