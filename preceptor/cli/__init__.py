"""The `preceptor` program. Each command lives in a module that is imported only when it is used."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from preceptor import __version__
from preceptor.errors import PreceptorError

# name -> (module, attribute, help in the list). Listed here so that --help imports nothing.
COMMANDS = {
    "init": ("preceptor.cli.init", "init", "A configuration for documents of your own."),
    "run": ("preceptor.cli.run", "run", "The main job, whole: documents in, an evaluated candidate out."),
    "ui": ("preceptor.cli.ui", "ui", "Dagster, MLflow and the review app, together."),
    "review": ("preceptor.cli.review", "review", "The review app by itself."),
    "doctor": ("preceptor.cli.doctor", "doctor", "Check this machine and configuration."),
    "intake": ("preceptor.cli.intake", "intake", "Bring documents into the vault."),
    "vault": ("preceptor.cli.vault", "vault", "The encrypted vault: state, check, key rotation, audit log."),
    "deid": ("preceptor.cli.deid", "deid", "De-identify notes outside the pipeline, and score it."),
    "data": ("preceptor.cli.data", "data", "The data set versions."),
    "size": ("preceptor.cli.size", "size", "Which GPUs, how long, what it costs; rent or buy."),
    "models": ("preceptor.cli.models", "models", "The base-model catalogue."),
    "train": ("preceptor.cli.train", "train", "One fine-tuning run outside the UI."),
    "search": ("preceptor.cli.search", "search", "Look for a better recipe by brief trainings."),
    "providers": ("preceptor.cli.providers", "providers", "Fine-tuning by a provider: approvals, jobs."),
    "evaluate": ("preceptor.cli.evaluate", "evaluate", "Score arms on the same cases."),
    "advise": ("preceptor.cli.advise", "advise", "Prompt, RAG or fine-tuning; a service or machines."),
    "release": ("preceptor.cli.release", "release", "Versions: approve, promote, roll back, verify."),
    "serve": ("preceptor.cli.serve", "serve", "An OpenAI-compatible server for the champion."),
    "export": ("preceptor.cli.export", "export", "A deployment bundle of a version, with its proof."),
    "monitor": ("preceptor.cli.monitor", "monitor", "Drift, production; decisions about retraining."),
    "lineage": ("preceptor.cli.lineage", "lineage", "From a model to its documents, and back."),
    "forget": ("preceptor.cli.forget", "forget", "Erase a patient."),
    "backup": ("preceptor.cli.backup", "backup", "The whole home in one file."),
    "restore": ("preceptor.cli.backup", "restore", "A home from such a file."),
    "storage": ("preceptor.cli.storage", "storage", "Finished versions in an object store."),
    "users": ("preceptor.cli.users", "users", "People and their roles."),
    "completion": ("preceptor.cli.completion", "completion", "Completion in bash, zsh or fish."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        return getattr(importlib.import_module(module), attribute)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click does it, without loading every command at every press of the key."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=said)
            for name, (_, _, said) in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Of an error that it did not foresee only what may be said comes out, but for `--debug`."""
        try:
            return super().invoke(ctx)
        except (PreceptorError, click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            from preceptor.cli._common import workspace
            from preceptor.cli.failures import said_of

            raise PreceptorError(said_of(error, workspace().home)) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, _, said) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="preceptor")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="PRECEPTOR_HOME",
    help="The workspace [default: var/ in the checkout].",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="PRECEPTOR_CONFIG",
    help="YAML with settings on top of the profile's.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def root(ctx: click.Context, home: Path | None, config: Path | None, debug: bool) -> None:
    """From a hospital's raw clinical documents to a fine-tuned, evaluated, governed language model."""
    # Absolute: other processes of a command work in other folders.
    home, config = home and home.absolute(), config and config.absolute()
    ctx.obj = {"home": home, "config": config, "debug": debug, "profile": None}


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit: 0 done, 1 failed, 2 wrong usage, 3 refused by a gate, 130 interrupted."""
    try:
        code = root.main(arguments, prog_name="preceptor", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("Interrupted. The same command continues where this one stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code if error.exit_code != 1 else 2)
    except PreceptorError as error:
        if "--debug" in (arguments if arguments is not None else sys.argv):
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
