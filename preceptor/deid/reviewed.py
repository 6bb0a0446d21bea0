"""What people decided about documents that the leak check doubted, as the de-identification stage needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from preceptor.deid.leakcheck import FAILED, Leak
from preceptor.versions import digest

BY_A_PERSON = "review"  # the rule of a document that somebody found an identifier in


@dataclass(frozen=True, slots=True)
class Reviewed:
    """`released`: documents that somebody found clean, with the finds that they looked at; `barred`: those that leak.

    A release holds for exactly these finds: where a later run finds something else, the document is withheld again.
    """

    released: Mapping[str, str] = field(default_factory=dict)
    barred: frozenset[str] = frozenset()

    def judge(self, document_ref: str, found: list[Leak], length: int) -> list[Leak]:
        """The finds that still count, after what people said of the document. `length`: of its text."""
        if document_ref in self.barred:
            return [*found, Leak(BY_A_PERSON, "IDNUM", 0, length)]
        if any(leak.rule == FAILED for leak in found):
            return found  # nobody can have seen it
        certain = [leak for leak in found if not leak.is_doubt]
        if certain and self.released.get(document_ref) == finding(certain):
            return [leak for leak in found if leak.is_doubt]
        return found

    def facts(self) -> dict[str, Any]:
        """Plain values for the configuration of a version."""
        return {"released": dict(sorted(self.released.items())), "barred": sorted(self.barred)}


def finding(found: Iterable[Leak]) -> str:
    """A digest of where and by which rules something was found in one document."""
    return digest([[leak.rule, leak.type, leak.start, leak.end] for leak in found])[:16]
