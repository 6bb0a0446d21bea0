"""What clinicians decided about examples: accepted as they are, corrected, or not to be learnt from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from preceptor.curation.frozen import case_key
from preceptor.curation.tasks import Draft
from preceptor.versions import digest

Verdict = Literal["accept", "correct", "reject"]


@dataclass(frozen=True, slots=True)
class ExampleReview:
    """A decision about the question and answer with the digest `shown` and no other; `answer` is the correction."""

    shown: str
    verdict: Verdict
    reviewer: str
    at: str
    answer: str | None = None


Reviews = Mapping[str, Sequence[ExampleReview]]  # a case (`case_key`) to its decisions, the earliest first


def shown(prompt: str, answer: str) -> str:
    """The digest of what a reviewer saw."""
    return digest([prompt, answer])[:16]


def apply(drafts: Sequence[Draft], reviews: Reviews) -> tuple[list[Draft], list[Draft], int]:
    """Return the drafts that go on, corrected where somebody did, the rejected ones, and how many cases were decided as
    they no longer are: text that is another now, since de-identification or a document changed, has been seen by nobody.
    """
    kept: list[Draft] = []
    rejected: list[Draft] = []
    outdated = 0
    for draft in drafts:
        said = reviews.get(case_key(draft.task, draft.document_refs), ())
        # A correction may be corrected: each decision follows upon the text that it was about, the last about it counts.
        about = {review.shown: review for review in said}
        verdict: Verdict | None = None
        current = draft
        while review := about.pop(shown(current.prompt, current.answer), None):
            verdict = review.verdict
            answer = review.answer if review.answer is not None else current.answer
            current = dataclasses.replace(
                current, answer=answer, reviewer=review.reviewer, reviewed_at=review.at
            )
        if current.answer != draft.answer:
            current = dataclasses.replace(current, replaced=draft.answer)
        outdated += bool(said) and verdict is None
        (rejected if verdict == "reject" else kept).append(current)
    return kept, rejected, outdated
