"""`preceptor completion`: the shell completes commands, options and their choices."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the script that teaches a shell to complete preceptor.

    Once for this shell: `eval "$(preceptor completion bash)"` (zsh the same; fish: `preceptor completion fish | source`); for
    all to come, put that line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.
    """
    from preceptor.cli import root

    script = get_completion_class(shell)
    assert script is not None  # click knows all three
    click.echo(script(root, {}, "preceptor", "_PRECEPTOR_COMPLETE").source())
