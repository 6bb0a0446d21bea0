"""The release pages: what is known of a version, who decided what, and signing."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from preceptor.errors import GateRefused, UsageError
from preceptor.papers.bundle import files_of, folder_of
from preceptor.release import blinded, signatures
from preceptor.release.candidates import overview
from preceptor.release.card import card
from preceptor.release.differences import differences
from preceptor.release.registry import VersionInfo, bundle_of, resolve, tracking_of
from preceptor.release.standing import standing
from preceptor.review import comparisons
from preceptor.review.visit import Visit
from preceptor.versions import digest, file_sha256

MEANINGS = {"reviewed": signatures.review, "approved": signatures.approve, "rejected": signatures.reject}
MAY = {
    "reviewed": signatures.MAY_REVIEW,
    "approved": signatures.MAY_APPROVE,
    "rejected": signatures.MAY_REJECT,
}


def releases(visit: Visit) -> Any:
    house, store = visit.house, visit.house.store()
    try:
        rows = overview(tracking_of(house.workspace), store, house.settings.release.required_approvals)
    finally:
        store.close()
    return visit.page("releases", rows=rows[::-1])


def release(visit: Visit) -> Any:
    """Everything that a signature would be about, and the form for it."""
    house, store = visit.house, visit.house.store()
    try:
        tracking, required = tracking_of(house.workspace), house.settings.release.required_approvals
        info = resolve(tracking, _ref(visit))
        row = next(r for r in overview(tracking, store, required, info.name) if r["version"] == info.version)
        bundle = bundle_of(tracking, info)
        history = [
            {"event": e, "payload": e.payload, "printed": e.payload.get("printed_name") or e.actor}
            for e in store.events(subject=info.ref)
        ]
        champion = next(
            (r for r in overview(tracking, store, required, info.name) if "champion" in r["aliases"]), None
        )
        against = None
        if champion and champion["ref"] != info.ref:
            other = bundle_of(tracking, resolve(tracking, champion["ref"]))
            against = {"ref": champion["ref"], "rows": differences(other, bundle)}
        text = card(info, bundle, standing(store, info.ref), required)
        printed = store.people()[visit.name].printed_name or visit.name
        judged = blinded.of_evaluation(store, info.evaluation)
    finally:
        store.close()
    return visit.page(
        "release",
        info=info,
        row=row,
        history=history,
        against=against,
        card=text,
        judged=judged,
        printed=printed,
        meanings=[m for m in MEANINGS if visit.role in MAY[m]],
        seen=digest(_shown(visit, info)),
        has_report=_report(visit, info).exists(),
        has_papers=bool(files_of(folder_of(house.workspace, info.ref))),
        required=required,
    )


def report(visit: Visit) -> Any:
    """The evaluation's report as it was written. Amber."""
    info = resolve(tracking_of(visit.house.workspace), _ref(visit))
    judged = [c for c in comparisons.all_of(visit.house.database) if c.evaluation == info.evaluation]
    if visit.role == "reviewer" and any(c.closed_at is None for c in judged):
        raise GateRefused("The report names the models; it opens to reviewers when the comparison is closed.")
    path = _report(visit, info)
    if not path.exists():
        raise UsageError("The report of this version is not in this home.")
    visit.house.note(
        visit.name, "read", "evaluation report", {"version": info.ref, "evaluation": info.evaluation}
    )
    return _own_styles(path.read_text(encoding="utf-8"), "sandbox")


def papers(visit: Visit) -> Any:
    """One file of the governance documents, if they were written. Green. Only what their manifest names is handed out."""
    from starlette.responses import FileResponse

    info = resolve(tracking_of(visit.house.workspace), _ref(visit))
    folder, name = folder_of(visit.house.workspace, info.ref), visit.path["file"]
    if name not in files_of(folder):
        raise UsageError(f"No such paper was written: `preceptor release papers {info.ref}` writes them.")
    if name.endswith(".html"):
        # No sandbox: it would make the links between the papers come from nowhere, without the cookie.
        return _own_styles((folder / name).read_text(encoding="utf-8"))
    return FileResponse(folder / name, filename=f"{info.ref.replace('/', '-')}-{name}")


def _own_styles(page: str, *directives: str) -> Any:
    """A page that we wrote ourselves, as it is: its styles are allowed by their hashes, and nothing else is."""
    from starlette.responses import HTMLResponse

    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL) + re.findall(r' style="([^"]*)"', page)
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in dict.fromkeys(styles)
    )
    policy = (
        f"default-src 'none'; style-src 'unsafe-hashes' {hashes}; img-src data:; base-uri 'none'; form-action 'none'; "
        + "; ".join(("frame-ancestors 'none'", *directives))
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


def sign(visit: Visit) -> Any:
    """Sign with the password again. Refused if what the page showed is not what is there now."""
    from preceptor.review.pages import proved

    meaning, reason = visit.form.get("meaning", ""), visit.form.get("reason", "")
    if meaning not in MEANINGS:
        raise UsageError("Say what your signature means: reviewed, approved or rejected.")
    if visit.role not in MAY[meaning]:
        raise GateRefused(f"As {visit.role} you may not sign with this meaning.")
    tracking = tracking_of(visit.house.workspace)
    info = resolve(tracking, _ref(visit))
    shown = _shown(visit, info)
    if visit.form.get("seen") != digest(shown):
        raise GateRefused("What you read has changed since: read it again, then sign. Nothing was changed.")
    proved(visit, visit.name)
    store = visit.house.store()
    try:
        MEANINGS[meaning](
            tracking, store, info.ref,
            as_user=visit.name, password=visit.form.get("password", ""), reason=reason, shown=shown,
        )  # fmt: skip
    finally:
        store.close()
    return visit.go(f"/releases/{info.ref}")


def _ref(visit: Visit) -> str:
    return f"{visit.path['name']}/{visit.path['version']}"


def _report(visit: Visit, info: VersionInfo) -> Any:
    if not re.fullmatch(r"[0-9a-f-]+", info.evaluation):
        raise UsageError("This version names no evaluation of this home.")
    return visit.house.workspace.reports / "evaluation" / info.evaluation / "report.html"


def _shown(visit: Visit, info: VersionInfo) -> dict[str, str]:
    """The papers behind the page by their SHA-256."""
    shown, folder = {"version": info.digest}, _report(visit, info).parent
    for name in ("report.html", "report.json"):
        if (folder / name).exists():
            shown[name] = file_sha256(folder / name)
    return shown
