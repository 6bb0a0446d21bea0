"""Sign-in, the queue, and blinded comparisons."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from preceptor.errors import UsageError
from preceptor.release import blinded, users
from preceptor.review import comparisons
from preceptor.review.files import unchanged
from preceptor.review.visit import Visit
from preceptor.versions import DatasetVersion, latest, load

STAGES = ("evaluation", "evaluations")  # the pipeline's own, and those of `preceptor evaluate`
_checking = threading.Semaphore(4)  # a password takes 64 MiB and a third of a second by design


def sign_in_form(visit: Visit) -> Any:
    return visit.go("/") if visit.role else visit.page("sign_in", problem="")


def sign_in(visit: Visit) -> Any:
    """A new session for who proves the password; the answer is the same for a wrong name and a wrong password."""
    from preceptor.review.app import set_cookie

    name = visit.form.get("name", "").strip()
    try:
        proved(visit, name)
    except users.GateRefused as error:
        return visit.page("sign_in", 403, problem=_said(error))
    response = visit.go("/")
    set_cookie(visit.house, response, visit.house.sessions.begin(name, visit.token))
    visit.house.note(name, "signed-in", "review app", {})
    return response


def proved(visit: Visit, name: str) -> None:
    """Check name and password of the form, with the lock-out. Raises `Locked` or `NotAuthenticated`."""
    sessions = visit.house.sessions
    sessions.require_unlocked(name)
    store = visit.house.store()
    try:
        with _checking:
            users.authenticate(store, name, visit.form.get("password", ""))
    except users.NotAuthenticated:
        sessions.failed(name)
        visit.house.note("review app", "refused", "sign-in or signature", {"rule": "password"})
        raise
    finally:
        store.close()
    sessions.succeeded(name)


def _said(error: Exception) -> str:
    known = isinstance(error, users.NotAuthenticated)
    return "Name and password do not belong together, or the account is disabled." if known else str(error)


def sign_out(visit: Visit) -> Any:
    visit.house.sessions.end(visit.token)
    response = visit.go("/sign-in")
    response.delete_cookie(visit.house.cookie)
    return response


def queue(visit: Visit) -> Any:
    """What waits for this person."""
    judging = visit.role != "privacy"
    found = comparisons.all_of(visit.house.database) if judging else []
    rows = [{"comparison": c, **comparisons.progress(visit.house.database, c.id, visit.name)} for c in found]
    offered = _offered(visit) if visit.role in ("approver", "admin") else []
    return visit.page("queue", rows=rows, offered=offered)


def make_comparison(visit: Visit) -> Any:
    evaluation = _evaluation(visit, visit.form.get("evaluation", ""))
    arms = (visit.form.get("first", ""), visit.form.get("second", ""))
    ids = [{row["example_id"] for row in _predictions(evaluation) if row["arm"] == arm} for arm in arms]
    shared = sorted((ids[0] & ids[1]).intersection(_examples(visit, evaluation)))
    made = comparisons.make(
        visit.house.database, evaluation.name, arms, shared, visit.house.settings.review.overlap, visit.name
    )
    return visit.go(f"/comparisons/{made}")


def comparison(visit: Visit) -> Any:
    one = comparisons.find(visit.house.database, visit.path["id"])
    found = _recorded(visit, one) if one.closed_at else None
    progress = comparisons.progress(visit.house.database, one.id, visit.name)
    return visit.page("comparison", one=one, progress=progress, found=found, criteria=comparisons.CRITERIA)


def next_case(visit: Visit) -> Any:
    house, name = visit.house, visit.path["id"]
    case_id = comparisons.next_case(house.database, name, visit.name)
    return visit.go(f"/comparisons/{name}" + (f"/cases/{quote(case_id, safe='')}" if case_id else ""))


def case(visit: Visit) -> Any:
    """A case and both answers, in the order drawn for this reviewer. Amber: the audit log says who looked."""
    house, case_id = visit.house, visit.path["case"]
    one = comparisons.find(house.database, visit.path["id"])
    evaluation = _evaluation(visit, one.evaluation)
    example = _examples(visit, evaluation).get(case_id)
    answers = {r["arm"]: r["answer"] for r in _predictions(evaluation) if r["example_id"] == case_id}
    if example is None or not {one.first, one.second} <= answers.keys():
        raise UsageError("This case is not there (any more): its patient may have been erased.")
    shown = [answers[one.first], answers[one.second]]
    if comparisons.swapped(house.key, one.id, case_id, visit.name):
        shown.reverse()
    house.note(visit.name, "read", "blinded comparison", {"comparison": one.id, "case": case_id})
    progress = comparisons.progress(house.database, one.id, visit.name)
    return visit.page(
        "case", one=one, example=example, shown=shown, progress=progress, criteria=comparisons.CRITERIA
    )


def judge(visit: Visit) -> Any:
    house, form = visit.house, visit.form
    rated = [
        {
            c: int(v)
            for c in comparisons.CRITERIA
            if (v := form.get(f"{side}-{c}", "")) in {"1", "2", "3", "4", "5"}
        }
        for side in ("left", "right")
    ]
    comparisons.judge(
        house.database,
        house.key,
        visit.path["id"],
        visit.path["case"],
        visit.name,
        form.get("preference", ""),
        *rated,
    )
    return visit.go(f"/comparisons/{visit.path['id']}/next")


def undo(visit: Visit) -> Any:
    comparisons.undo(visit.house.database, visit.path["id"], visit.name)
    return visit.go(f"/comparisons/{visit.path['id']}/next")


def close(visit: Visit) -> Any:
    """End judging. What came of it is written into the release record by the page that shows it, which comes next."""
    comparisons.close(visit.house.database, visit.path["id"])
    return visit.go(f"/comparisons/{visit.path['id']}")


def _recorded(visit: Visit, one: comparisons.Comparison) -> dict[str, Any]:
    """The results of a closed comparison, which nothing changes any more: worked out and written into the release record at the
    first look, so that a kill after closing loses nothing, and read from there ever after."""
    store = visit.house.store()
    try:
        found = blinded.recorded(store, one.evaluation, one.id)
        if found is None:
            rows = _predictions(_evaluation(visit, one.evaluation))
            patients = {row["example_id"]: row["patient_ref"] for row in rows}
            found = comparisons.results(visit.house.database, one.id, patients)
            if found["judgements"]:
                blinded.record(store, one.evaluation, one.id, (one.first, one.second), found, visit.name)
    finally:
        store.close()
    return found


def _offered(visit: Visit) -> list[dict[str, Any]]:
    offered = []
    for stage in STAGES:
        version = latest(visit.house.workspace.reports, stage)
        if version and (version.path / "predictions.parquet").exists():
            report = json.loads((version.path / "report.json").read_text(encoding="utf-8"))
            offered.append({"name": version.name, "arms": list(report["arms"]), "cases": report["n_cases"]})
    return offered


def _evaluation(visit: Visit, name: str) -> DatasetVersion:
    reports: Path = visit.house.workspace.reports
    for stage in STAGES:
        folder = reports / stage
        if folder.is_dir() and name in {p.name for p in folder.iterdir() if (p / "manifest.json").exists()}:
            return load(reports, stage, name)
    raise UsageError("There is no such evaluation.")


def _predictions(evaluation: DatasetVersion) -> list[dict[str, Any]]:
    from preceptor.tables import read_rows

    return unchanged(read_rows, evaluation.path / "predictions.parquet")


def _examples(visit: Visit, evaluation: DatasetVersion) -> dict[str, Any]:
    from preceptor.tables import EXAMPLES, read_examples

    path = visit.house.workspace.data / "curated" / evaluation.manifest["inputs"]["curated"] / EXAMPLES
    return {e.example_id: e for e in unchanged(read_examples, path)}
