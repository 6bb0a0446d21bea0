"""Examples of the newest data: is the reference what a good clinician would have written? Accepted, corrected or rejected by signature."""

from __future__ import annotations

from typing import Any

from preceptor.curation import reviews
from preceptor.curation.reviewed import Verdict, shown
from preceptor.errors import UsageError
from preceptor.records import Example, PatientRecord
from preceptor.review.files import unchanged
from preceptor.review.pages import proved
from preceptor.review.visit import Visit
from preceptor.versions import latest

VERDICTS: tuple[Verdict, ...] = ("accept", "correct", "reject")
LISTED = 50


def examples(visit: Visit) -> Any:
    """What nobody has looked at, test cases first; references only, no text."""
    name, found = _newest(visit)
    left = _open(visit, found)
    return visit.page("examples", version=name, rows=left[:LISTED], left=len(left), all=len(found))


def example(visit: Visit) -> Any:
    """One example with the form to decide on it. Amber: the audit log says who looked."""
    one = _named(visit)
    visit.house.note(visit.name, "read", "review of an example", {"example": one.example_id})
    return visit.page("example", one=one, seen=shown(one.prompt, one.answer), verdicts=VERDICTS)


def decide(visit: Visit) -> Any:
    """Sign the decision with the password; the next curated version follows it, and the next open example is shown."""
    one, form = _named(visit), visit.form
    verdict = next((known for known in VERDICTS if known == form.get("verdict")), None)
    if verdict is None:
        raise UsageError("Say what you think of the example: accept, correct or reject.")
    if form.get("seen") != shown(one.prompt, one.answer):
        raise UsageError("The example has changed since you read it: read it again, then sign.")
    # a form sends line ends as CR LF, and the reference along with every verdict
    answer = form.get("answer", "").replace("\r\n", "\n") if verdict == "correct" else None
    proved(visit, visit.name)
    store = visit.house.store()
    try:
        reviews.decide(
            store, visit.house.workspace.data, one, verdict, _record(visit, one) if answer else None,
            as_user=visit.name, password=form.get("password", ""), answer=answer, reason=form.get("reason", ""),
        )  # fmt: skip
    finally:
        store.close()
    left = _open(visit, _newest(visit)[1])
    return visit.go(f"/examples/{left[0].example_id}" if left else "/examples")


def _newest(visit: Visit) -> tuple[str, list[Example]]:
    from preceptor.curation.curate import STAGE
    from preceptor.tables import EXAMPLES, read_examples

    version = latest(visit.house.workspace.data, STAGE)
    return (version.name, unchanged(read_examples, version.path / EXAMPLES)) if version else ("", [])


def _open(visit: Visit, found: list[Example]) -> list[Example]:
    store = visit.house.store()
    try:
        said = reviews.decisions(store, visit.house.workspace.data)
    finally:
        store.close()
    return reviews.queue(found, {review.shown for of_case in said.values() for review in of_case})


def _named(visit: Visit) -> Example:
    for one in _newest(visit)[1]:
        if one.example_id == visit.path["id"]:
            return one
    raise UsageError(
        "This example is not in the newest data (any more): a later version may have come in, or its patient was erased."
    )


def _record(visit: Visit, one: Example) -> PatientRecord | None:
    """The patient's record, which the leak check of a correction needs; red, and goes nowhere else."""
    from preceptor.vault import open_vault
    from preceptor.vault.audit import acting_for

    vault = open_vault(visit.house.workspace, visit.house.settings.vault)
    try:
        with acting_for(visit.name):
            return vault.record(one.patient_ref, why="leak check of a correction")
    finally:
        vault.close()
