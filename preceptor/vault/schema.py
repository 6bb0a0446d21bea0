"""What a SQLite store looks like, and how a file that an earlier Preceptor made becomes one of this version.

SQLite's user_version says which version of the tables a file has. Alembic is left out here: these stores are a few tables each, opened
without SQLAlchemy by a program that must start quickly, and it would want every table to be written down a second time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from preceptor.errors import UsageError
from preceptor.vault.database import transaction

Step = Callable[[sqlite3.Connection], None]


@dataclass(frozen=True, slots=True)
class Schema:
    """`tables`: the statements that make a new file, each `IF NOT EXISTS`. `steps`: the first takes a file from version 1 to 2, and
    so on; one is added whenever `tables` would not make of an old file what it makes of a new one."""

    name: str  # as people call the store
    tables: str
    steps: tuple[Step, ...] = ()

    @property
    def version(self) -> int:
        return 1 + len(self.steps)

    def prepare(self, db: sqlite3.Connection) -> None:
        """Make a new file's tables, or bring those of an old one to this version: all steps together or none, also if killed.

        Raises `UsageError` for a file that a later Preceptor has changed: what this one does not know of it could be lost.
        """
        if self._found(db) == self.version:
            return
        with transaction(db):  # of several processes that open the file, one changes it
            found = self._found(db)
            if _has_tables(db):
                for step in self.steps[max(found, 1) - 1 :]:
                    step(db)
            for statement in statements(self.tables):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {self.version}")

    def _found(self, db: sqlite3.Connection) -> int:
        """The version of the file's tables; 0: none yet, or from before versions were counted, when they were those of 1."""
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found > self.version:
            raise UsageError(
                f"A later version of Preceptor has written {self.name} (tables of version {found}, this one knows {self.version}): "
                "nothing was changed. Use that version, or restore a backup from before the upgrade (rule store-newer)."
            )
        return int(found)


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would end the transaction it is called in.

    >>> list(statements("CREATE TABLE a (b); CREATE TRIGGER c BEFORE DELETE ON a BEGIN SELECT 1; END;"))
    ['CREATE TABLE a (b);', 'CREATE TRIGGER c BEFORE DELETE ON a BEGIN SELECT 1; END;']
    """
    whole = ""
    for part in script.split(";")[:-1]:
        whole += part + ";"
        if sqlite3.complete_statement(whole):
            yield whole.strip()
            whole = ""


def _has_tables(db: sqlite3.Connection) -> bool:
    (count,) = db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
    return bool(count)
