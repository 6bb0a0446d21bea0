"""What stands around every page: who may come in, and what a browser may do with what it gets."""

from __future__ import annotations

import secrets
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from preceptor import disk
from preceptor.errors import GateRefused, PreceptorError, UsageError, kind_and_place
from preceptor.keys import derive
from preceptor.review.database import prepare
from preceptor.review.routes import ROUTES, Page
from preceptor.review.sessions import Sessions
from preceptor.review.visit import HERE, House, Visit
from preceptor.settings import Settings, Workspace
from preceptor.vault import open_vault
from preceptor.vault.opening import open_keyring

MAX_BODY = 256 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def house_of(workspace: Workspace, settings: Settings) -> House:
    """Open what the app needs. Raises `UsageError` where it would be reachable from outside without TLS."""
    review = settings.review
    secure = bool(review.tls_certificate and review.tls_key)
    if bool(review.tls_certificate) != bool(review.tls_key):
        raise UsageError("review.tls_certificate and review.tls_key belong together; set both or none.")
    if review.host not in LOOPBACK and not secure:
        raise UsageError(
            f"The review app would be reachable at {review.host} without TLS: set review.tls_certificate and "
            "review.tls_key, or leave review.host at 127.0.0.1."
        )
    open_vault(workspace, settings.vault).close()  # a new home gets its vault, and with it the audit log
    secrets_of = open_keyring(workspace, settings.vault).secrets
    key, path = derive(secrets_of.release, "review"), prepare(workspace.review)
    sessions = Sessions(path, key, review)
    return House(workspace, settings, path, secrets_of.release, secrets_of.audit, key, sessions, secure)


def application(house: House) -> Any:
    """The app as ASGI."""
    from starlette.applications import Starlette
    from starlette.responses import FileResponse
    from starlette.routing import Route

    def style(_: Any) -> Any:
        return FileResponse(HERE / "static" / "review.css", media_type="text/css", headers=HEADERS)

    routes = [Route(page.path, _endpoint(house, page), methods=[page.method]) for page in ROUTES]
    return Starlette(routes=[Route("/static/review.css", style), *routes], max_body_size=MAX_BODY)


def _endpoint(house: House, page: Page) -> Any:
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request

    async def answer(request: Request) -> Any:
        body = await request.body() if page.method == "POST" else b""
        response = await run_in_threadpool(_answer, house, page, request, body)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if house.secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    return answer


def _answer(house: House, page: Page, request: Any, body: bytes) -> Any:
    try:
        return _answered(house, page, request, body)
    except Exception as error:  # before the page: who it is could not be read or noted
        return _failed(page, Visit(house, "", "", "", {}, {}), error)


def _answered(house: House, page: Page, request: Any, body: bytes) -> Any:
    token = request.cookies.get(house.cookie, "")
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    name = house.sessions.name_of(token) or ""
    role = _role(house, name)
    if not role:
        name = ""
    new = not token
    if new:
        token = secrets.token_urlsafe(32)  # of nobody yet; ties the sign-in form to this browser
    visit = Visit(house, name, role, token, dict(request.path_params), form)
    refused = _refusal(house, page, request, visit)
    response = refused or _handled(page, visit)
    if new and page.path == "/sign-in":
        set_cookie(house, response, token)
    return response


def _refusal(house: House, page: Page, request: Any, visit: Visit) -> Any | None:
    """The answer to whom the page is not for; None if it is."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if host not in LOOPBACK | {house.settings.review.host, *house.settings.review.names}:  # DNS rebinding
        return visit.page("message", 421, title="Wrong address", text="This server does not go by that name.")
    if page.roles is not None and not visit.role:
        return visit.go("/sign-in")
    if page.roles is not None and visit.role not in page.roles:
        return visit.page(
            "message", 403, title="Not for your role", text=f"You are signed in as {visit.role}."
        )
    if page.method == "POST":
        sent = visit.form.get("form_token", "")
        origin = request.headers.get("origin")
        if not secrets.compare_digest(sent.encode(), house.sessions.form_token(visit.token).encode()) or (
            origin and urlsplit(origin).netloc != request.headers.get("host")
        ):
            return visit.page(
                "message",
                403,
                title="The form has expired",
                text="Go back, load the page again, and send it anew.",
            )
    return None


def _handled(page: Page, visit: Visit) -> Any:
    try:
        return page.handler(visit)
    except GateRefused as error:
        return _refused(page, visit, 409, "Refused", str(error))
    except UsageError as error:
        return _refused(page, visit, 400, "That does not go", str(error))
    except PreceptorError as error:
        return visit.page("message", 500, title="That failed", text=str(error))
    except Exception as error:
        return _failed(page, visit, error)


def _failed(page: Page, visit: Visit, error: Exception) -> Any:
    """What nobody foresaw. Its text may be that of a case."""
    home = visit.house.workspace.home
    if disk.is_full(error, home):
        said = str(disk.full(home))
        print(f"review: {said} ({page.path})", file=sys.stderr)
        return visit.page("message", 507, title="Nothing was saved", text=said)
    print(f"review: {kind_and_place(error)} ({page.path})", file=sys.stderr)
    return visit.page("message", 500, title="That failed", text="An unexpected error; the log says where.")


def _refused(page: Page, visit: Visit, status: int, title: str, said: str) -> Any:
    """The page of the form once more, with what was typed; a message where there is none, or where it does not go either."""
    if page.again:
        with suppress(PreceptorError):
            return page.again(replace(visit, problem=said, status=status))
    return visit.page("message", status, title=title, text=said)


def _role(house: House, name: str) -> str:
    """The role by the record: whoever is disabled is out at once."""
    person = house.person(name) if name else None
    return person.role if person and person.disabled_by is None else ""


def set_cookie(house: House, response: Any, token: str) -> None:
    """Give the browser its token."""
    response.set_cookie(house.cookie, token, secure=house.secure, httponly=True, samesite="strict", path="/")
