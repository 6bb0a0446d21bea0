"""`preceptor users`: people and their roles."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.errors import UsageError


def read_password(from_stdin: bool, *, confirm: bool) -> str:
    """A password from the first line of standard input, or asked for on the terminal (on standard error).

    Raises `UsageError` where there is neither.
    """
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise UsageError("--password-stdin was given, but standard input holds no password.")
        return password
    if not sys.stdin.isatty():
        raise UsageError("There is no terminal to ask for the password; pipe it in with --password-stdin.")
    return click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)


@click.group()
def users() -> None:
    """People and their roles: reviewer, approver, privacy, admin."""


@users.command()
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice(["reviewer", "approver", "privacy", "admin"]),
    help="What they may do.",
)
@click.option("--printed-name", default="", metavar="TEXT", help="As it stands beside signatures.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
def add(name: str, role: str, printed_name: str, password_stdin: bool, as_json: bool) -> None:
    """Add a person with a password of at least 12 characters."""
    from preceptor.release import users as people
    from preceptor.release.store import open_store

    store = open_store(workspace(), settings().vault)
    password = read_password(password_stdin, confirm=True)
    user = people.add(store, name, role, password, actor=people.operator(), printed_name=printed_name)
    emit(asdict(user), as_json, f"Added {user.name}, {user.role}.")


@users.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show all people, the disabled ones too."""
    from preceptor.release import users as people
    from preceptor.release.store import open_store

    found = people.list_users(open_store(workspace()))
    rows = [(u.name, u.role, "disabled" if u.disabled else "", u.added_at) for u in found]
    emit(
        [asdict(user) for user in found],
        as_json,
        columns(rows, ("name", "role", "", "added"))
        if rows
        else "Nobody yet: `preceptor users add NAME --role ROLE`.",
    )


@users.command()
@click.argument("name")
@json_option
def disable(name: str, as_json: bool) -> None:
    """End an account. What its owner signed before stays valid."""
    from preceptor.release import users as people
    from preceptor.release.store import open_store

    user = people.disable(open_store(workspace()), name, actor=people.operator())
    emit(asdict(user), as_json, f"Disabled {user.name}.")
