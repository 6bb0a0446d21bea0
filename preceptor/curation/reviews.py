"""The review of examples: which ones to look at, and the signed decisions of clinicians.

A decision is an event of the release record, which holds references and digests. The text of a correction is a file
beside the data, amber like them, which goes when its patient is erased.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from preceptor.curation.frozen import case_key
from preceptor.curation.reviewed import ExampleReview, Reviews, Verdict, shown
from preceptor.deid.leakcheck import leaks
from preceptor.errors import UsageError
from preceptor.records import Example, PatientRecord
from preceptor.release.chain import Event
from preceptor.release.store import Store
from preceptor.release.users import entitled
from preceptor.versions import write_atomic

EXAMPLE_REVIEWED = "example_reviewed"
MAY_REVIEW = frozenset({"reviewer", "approver", "admin"})
CORRECTIONS = "corrections"  # among the data


def queue(examples: Sequence[Example], reviewed: Collection[str] = ()) -> list[Example]:
    """What nobody has looked at: test cases first, since every score rests on them, then in an order that nobody chose.

    `reviewed` holds digests (`shown`) of what was decided since the version was made.
    """
    order = {"test": 0, "validation": 1, "train": 2}
    left = [e for e in examples if e.reviewer is None and shown(e.prompt, e.answer) not in reviewed]
    return sorted(left, key=lambda e: (order[e.split], hashlib.sha256(e.example_id.encode()).digest()))


def decide(
    store: Store,
    data: Path,
    example: Example,
    verdict: Verdict,
    record: PatientRecord | None,
    *,
    as_user: str,
    password: str,
    answer: str | None = None,
    reason: str = "",
) -> Event:
    """Sign what one thinks of an example; the next curated version follows it. `answer` is the corrected reference.

    Raises `UsageError` for a correction without a new answer, an answer with another verdict, or one in which the leak
    check finds what the example does not show (it names rules, no text); `GateRefused` if the role may not review,
    `NotAuthenticated` for a wrong name or password.
    """
    if (verdict == "correct") != (answer is not None):
        raise UsageError(
            "A correction needs the new answer, and only a correction has one (rule answer-missing)."
        )
    if answer is not None:
        answer = answer.strip()
        _require_new_and_clean(example, answer, record)
    signer = entitled(store, as_user, password, MAY_REVIEW, "review an example", None)
    payload = {
        "case": case_key(example.task, example.document_refs),
        "shown": shown(example.prompt, example.answer),
        "verdict": verdict,
        "role": signer.role,
        "reason": reason.strip(),
    }
    if answer is not None:
        body = json.dumps({"patient_ref": example.patient_ref, "answer": answer}, ensure_ascii=False)
        payload["correction"] = hashlib.sha256(body.encode()).hexdigest()
        write_atomic(_correction(data, payload["correction"]), body)
    return store.append(EXAMPLE_REVIEWED, example.example_id, signer.name, payload, signer.sign)


def decisions(store: Store, data: Path) -> Reviews:
    """All decisions by case, the earliest first; without corrections whose text was erased. Raises `RecordBroken`."""
    store.require_intact()
    found: dict[str, list[ExampleReview]] = defaultdict(list)
    for event in store.events(kinds=(EXAMPLE_REVIEWED,)):
        said = event.payload
        answer = None
        if said["verdict"] == "correct":
            path = _correction(data, said["correction"])
            if not path.exists():
                continue
            answer = json.loads(path.read_text(encoding="utf-8"))["answer"]
        found[said["case"]].append(
            ExampleReview(said["shown"], said["verdict"], event.actor, event.at, answer)
        )
    return dict(found)


def erase_corrections(data: Path, patient_ref: str) -> None:
    """Remove the corrections of a patient's examples."""
    for path in (data / CORRECTIONS).glob("*.json"):
        if json.loads(path.read_text(encoding="utf-8"))["patient_ref"] == patient_ref:
            path.unlink()


def _correction(data: Path, sha256: str) -> Path:
    return data / CORRECTIONS / f"{sha256}.json"


def _require_new_and_clean(example: Example, answer: str, record: PatientRecord | None) -> None:
    if not answer or answer == example.answer:
        raise UsageError("The new answer is empty, or the one there is (rule answer-unchanged).")
    known = f"{example.prompt}\n{example.answer}".lower()
    rules = sorted(
        {
            leak.rule
            for leak in leaks((), record, "", answer)
            if answer[leak.start : leak.end].lower() not in known
        }
    )
    if rules:
        raise UsageError(
            f"The new answer of {example.example_id} was not kept: the leak check finds in it what may identify somebody "
            f"({', '.join(rules)}; rule phi-suspected). Write it with the names and dates that the example shows."
        )
