"""One request as the pages see it, and how a page is answered."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from preceptor.release.chain import Person
from preceptor.release.store import Store
from preceptor.review.opened import Opened
from preceptor.review.sessions import Sessions
from preceptor.settings import Settings, Workspace
from preceptor.vault.audit import DATABASE, AuditLog, acting_for

HERE = Path(__file__).parent
_turn = threading.Lock()  # of the audit log, as in `database`
_logs: Opened[AuditLog] = Opened()
_people: dict[Path, tuple[int, dict[str, Person]]] = {}  # by the record's folder, with its last event


@dataclass(frozen=True, slots=True)
class House:
    """What all requests share."""

    workspace: Workspace
    settings: Settings
    database: Path
    release_key: bytes = field(repr=False)
    audit_key: bytes = field(repr=False)
    key: bytes = field(repr=False)
    sessions: Sessions
    secure: bool

    @property
    def cookie(self) -> str:
        return "__Host-preceptor" if self.secure else "preceptor-review"

    def store(self) -> Store:
        """The release record, for this thread; the caller closes it."""
        return Store(self.workspace.release, self.release_key)

    def person(self, name: str) -> Person | None:
        """Somebody as the record has them now. Asked at every click, so it is read anew only when the record has grown."""
        store = self.store()
        try:
            last = store.last_id()
            known = _people.get(self.workspace.release)
            if known is None or known[0] != last:
                known = _people[self.workspace.release] = (last, store.people())
        finally:
            store.close()
        return known[1].get(name)

    def note(self, who: str, action: str, why: str, details: Mapping[str, Any]) -> None:
        """An entry in the vault's audit log, in this person's name; references only. The vault itself stays shut."""
        folder = self.workspace.vault
        with _turn, acting_for(who):
            log = _logs.of(folder / DATABASE, lambda: AuditLog(folder, self.audit_key, expected=True))
            log.append(action, why, details=details)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks for what. `name` and `role` are empty for somebody who is not signed in. `problem`: why the form on the page that is
    shown again was refused, with which `status`."""

    house: House
    name: str
    role: str
    token: str
    path: Mapping[str, str]
    form: Mapping[str, str]
    problem: str = ""
    status: int = 200

    def page(self, template: str, status: int = 0, **values: Any) -> Any:
        """A page from its template."""
        from starlette.responses import HTMLResponse

        body = (
            _templates()
            .get_template(f"{template}.html.j2")
            .render(visit=self, form_token=self.house.sessions.form_token(self.token), **values)
        )
        return HTMLResponse(body, status or self.status)

    def go(self, place: str) -> Any:
        """See another page instead; a reload then sends nothing again."""
        from starlette.responses import RedirectResponse

        return RedirectResponse(place, 303)


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
