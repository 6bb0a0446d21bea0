"""Is everything in the vault as it was written?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from preceptor.vault.errors import Problem
from preceptor.vault.store import Vault


def verify(vault: Vault) -> list[Problem]:
    """Open every sealed value, check the audit log with its head and the modes of the files; return what is wrong.

    Problems name rows by their references, entries by their numbers and files by their names: never a text.
    """
    try:
        problems = [*vault.verify(), *vault.audit.verify(), *_open_to_others(vault.folder)]
    except sqlite3.DatabaseError:
        problems = [
            Problem("vault.db", "database", "SQLite cannot read it to the end: restore it from a backup.")
        ]
    vault.note("verified", "verification", details={"problems": len(problems)})
    return problems


def _open_to_others(folder: Path) -> list[Problem]:
    paths = [folder, *sorted(folder.iterdir())]
    return [
        Problem(path.name, "mode", f"others may open it: run `chmod go= {path}`.")
        for path in paths
        if path.exists() and path.stat().st_mode & 0o077
    ]
