"""Which page is for which role: the one place where that stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from preceptor.privacy.reviews import MAY_REVIEW
from preceptor.release.store import ROLES
from preceptor.review import deid_pages, example_pages, pages, release_pages

ANYONE: frozenset[str] | None = None  # signed in or not
EVERYBODY = frozenset(ROLES)  # who is signed in
JUDGES = frozenset({"reviewer", "approver", "admin"})
LEADS = frozenset({"approver", "admin"})


@dataclass(frozen=True, slots=True)
class Page:
    """One route. `roles`: who may use it; None: anyone, without signing in. `again`: the page that is shown once more, with what
    was typed, where a form is refused."""

    method: str
    path: str
    roles: frozenset[str] | None
    handler: Callable[..., Any]
    again: Callable[..., Any] | None = None


ROUTES = (
    Page("GET", "/sign-in", ANYONE, pages.sign_in_form),
    Page("POST", "/sign-in", ANYONE, pages.sign_in),
    Page("POST", "/sign-out", EVERYBODY, pages.sign_out),
    Page("GET", "/", EVERYBODY, pages.queue),
    Page("POST", "/comparisons", LEADS, pages.make_comparison),
    Page("GET", "/comparisons/{id}", JUDGES, pages.comparison),
    Page("GET", "/comparisons/{id}/next", JUDGES, pages.next_case),
    Page("GET", "/comparisons/{id}/cases/{case}", JUDGES, pages.case),
    Page("POST", "/comparisons/{id}/cases/{case}", JUDGES, pages.judge, pages.case),
    Page("POST", "/comparisons/{id}/undo", JUDGES, pages.undo),
    Page("POST", "/comparisons/{id}/close", LEADS, pages.close),
    Page("GET", "/examples", JUDGES, example_pages.examples),
    Page("GET", "/examples/{id}", JUDGES, example_pages.example),
    Page("POST", "/examples/{id}", JUDGES, example_pages.decide, example_pages.example),
    Page("GET", "/deid", MAY_REVIEW, deid_pages.newest),
    Page("GET", "/deid/{batch}", MAY_REVIEW, deid_pages.documents),
    Page("GET", "/deid/{batch}/{document}", MAY_REVIEW, deid_pages.document),
    Page("POST", "/deid/{batch}/{document}", MAY_REVIEW, deid_pages.decide, deid_pages.document),
    Page("GET", "/releases", EVERYBODY, release_pages.releases),
    Page("GET", "/releases/{name}/{version}", EVERYBODY, release_pages.release),
    Page("GET", "/releases/{name}/{version}/report", EVERYBODY, release_pages.report),
    Page("GET", "/releases/{name}/{version}/papers/{file}", EVERYBODY, release_pages.papers),
    Page("POST", "/releases/{name}/{version}/sign", EVERYBODY, release_pages.sign, release_pages.release),
)
