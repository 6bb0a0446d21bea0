"""What each policy does with every kind of identifier, by the letters of 45 CFR 164.514(b)(2)(i), and a check of it.

A policy is a statement that a program can read (`statement`) and hold the output against (`violations`). It speaks of
what was found; how much is found is what docs/deidentification.md measures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import regex

from preceptor.deid.tokens import fold
from preceptor.deid.types import OLDEST_AGE_KEPT, PEOPLE, SAFE_HARBOR

Action = Literal["replaced", "generalised", "shifted", "kept"]

LETTERS: dict[str, str] = {
    "A": "names",
    "B": "geographic subdivisions smaller than a state",
    "C": "dates except year, and ages over 89",
    "D": "telephone numbers",
    "E": "fax numbers",
    "F": "e-mail addresses",
    "G": "social security numbers",
    "H": "medical record numbers",
    "I": "health plan beneficiary numbers",
    "J": "account numbers",
    "K": "certificate and license numbers",
    "L": "vehicle identifiers and plates",
    "M": "device identifiers and serial numbers",
    "N": "URLs",
    "O": "IP addresses",
    "P": "biometric identifiers",
    "Q": "full-face photographs",
    "R": "any other unique number, characteristic or code",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """`basis`: the paragraph it serves; `exceptions`: the types that are not replaced, with what is done and why."""

    name: str
    basis: str
    needs: str
    exceptions: dict[str, tuple[Action, str]]

    def action(self, type: str) -> Action:
        """What is done with values of a type."""
        return self.exceptions[type][0] if type in self.exceptions else "replaced"

    def keeps(self, type: str) -> bool:
        """Whether values of a type stay as they are."""
        return self.action(type) == "kept"

    @property
    def dates(self) -> Action:
        """What is done with dates."""
        return self.action("DATE")

    def statement(self) -> dict[str, Any]:
        """The policy as plain values: its basis, what it still needs, and for each letter the types and what is done.

        Letter Q has no types: images do not come in, and text about them is text.
        """
        letters: dict[str, Any] = {}
        for letter, what in LETTERS.items():
            types = sorted(t for t, of in SAFE_HARBOR.items() if of == letter)
            letters[letter] = {
                "identifier": what,
                "paragraph": f"164.514(b)(2)(i)({letter})",
                "types": {t: {"action": self.action(t), **self._reason(t)} for t in types},
            }
        return {"policy": self.name, "basis": self.basis, "needs": self.needs, "letters": letters}

    def _reason(self, type: str) -> dict[str, str]:
        return {"reason": self.exceptions[type][1]} if type in self.exceptions else {}


_STATES: dict[str, tuple[Action, str]] = {
    "STATE": ("kept", "states may stay: (b)(2)(i)(B)"),
    "COUNTRY": ("kept", "larger than a state: (b)(2)(i)(B)"),
}
_AREA: tuple[Action, str] = (
    "generalised",
    "its first three digits, 000 for areas of 20 000 people or fewer: (b)(2)(i)(B)",
)
_CAPPED: tuple[Action, str] = ("generalised", "kept up to 89, above that 90+: (b)(2)(i)(C)")
_OVER_89 = "one that tells an age over 89 becomes a year or earlier"
_LIMITED = "not among the identifiers of (e)(2)"
POLICIES: dict[str, Policy] = {
    p.name: p
    for p in (
        Policy(
            "safe_harbor",
            "45 CFR 164.514(b)(2)",
            "no actual knowledge that the rest identifies anybody: (b)(2)(ii)",
            {
                **_STATES,
                "DATE": ("generalised", "the year, and not even that where it tells an age over 89: (b)(2)(i)(C)"),
                "YEAR": ("generalised", "kept unless it tells an age over 89: (b)(2)(i)(C)"),
                "AGE": _CAPPED,
                "ZIP": _AREA,
            },
        ),
        Policy(
            "limited_dataset",
            "45 CFR 164.514(e)(2)",
            "a data use agreement with whoever gets it: (e)(4). It is still protected health information",
            {
                **_STATES,
                "DATE": ("kept", _LIMITED),
                "YEAR": ("kept", _LIMITED),
                "AGE": ("kept", _LIMITED),
                "CITY": ("kept", "town or city may stay: (e)(2)(ii)"),
                "ZIP": ("kept", "the ZIP code may stay: (e)(2)(ii)"),
            },
        ),
        Policy(
            "shifted",
            "45 CFR 164.514(b)(1)",
            "an expert's determination that the risk is very small: day and month stay in the text, moved",
            {
                **_STATES,
                "DATE": ("shifted", f"by one number of days a patient, which keeps intervals; {_OVER_89}"),
                "YEAR": (
                    "shifted",
                    f"kept: (b)(2)(i)(C); that of the patient's birth goes with the birth date; {_OVER_89}",
                ),
                "AGE": _CAPPED,
                "ZIP": _AREA,
            },
        ),
    )
}  # fmt: skip


_EARLIER = regex.compile(r"\d{4} or earlier")
_ZIP = regex.compile(r"\s*\d{5}(?:[- ]?\d{4})?\s*|\s*\d{3}\s*")
_ONLY_YEARS = regex.compile(
    rf"{_EARLIER.pattern}|a day in |\bto\b|\[DATE\]|(?<!\d)(?:19|20)\d{{2}}s?(?!\d)|['’]\d{{2}}s?"
)
_RELATIVE = regex.compile(
    r"(?i)(?:today|tonight|tomorrow|tmrw|yesterday|now|\W|\b(?:until|till?|at|in|on|night|morning|afternoon|evening)\b)*"
)


@dataclass(frozen=True, slots=True)
class Violation:
    """The replacement at `index` is not what the policy states of its type. Never the text."""

    index: int
    type: str
    action: Action


def violations(policy: Policy, replaced: Iterable[tuple[str, str, str]]) -> list[Violation]:
    """Hold (type, original, replacement) of all of one patient's values against the statement.

    `kept`: equal. `generalised`: no day, month, exact place or age over 89 is left. `shifted`: all whole dates are
    moved by one number of days, which is not 0. `replaced`: not equal, and no name, and nothing of four characters or
    more with a digit in it, is left.
    """
    found, offset = [], None
    for index, (kind, old, new) in enumerate(replaced):
        action = policy.action(kind)
        if action == "shifted":
            moved = _moved(old, new)
            offset = moved if offset is None else offset
            holds = moved is None or moved == offset != 0
        else:
            holds = _holds(action, kind, old, new)
        if not holds:
            found.append(Violation(index, kind, action))
    return found


def _moved(old: str, new: str) -> int | None:
    """The days from one whole date to the other; 0 if the new one stayed or lost its day; nothing if there is none."""
    from preceptor.deid.surrogates.dates import day_of  # the package of surrogates needs this module

    before, after = day_of(old), day_of(new)
    if before is None or _EARLIER.fullmatch(new) or new == "[DATE]":
        return None
    return (after - before).days if after else 0


def _holds(action: Action, kind: str, old: str, new: str) -> bool:
    if action == "kept":
        return old == new
    if action == "generalised":
        return _general(kind, old, new)
    if SAFE_HARBOR[kind] == "B" or kind == "PROFESSION":
        return fold(old) != fold(new)
    if kind in PEOPLE:
        return fold(old) != fold(new) and not _names(old) & _names(new)
    pieces = {p for p in regex.findall(r"[\p{L}\d]{4,}", fold(old)) if any(c.isdigit() for c in p)}
    return fold(old) != fold(new) and not any(p in fold(new) for p in pieces)


def _names(value: str) -> set[str]:
    from preceptor.deid.surrogates import name_forms  # as in _moved

    return {w.low for w in name_forms.read(value).own() if w.role == "name"}


def _general(kind: str, old: str, new: str) -> bool:
    from preceptor.deid.surrogates.ages import age_of  # as in _moved

    if kind == "ZIP":
        return new.endswith("00") if _ZIP.fullmatch(old) else new != old
    if kind == "AGE":
        return "90+" in new or "or older" in new or (age_of(new) or 0) <= OLDEST_AGE_KEPT
    return _RELATIVE.fullmatch(_ONLY_YEARS.sub("", new)) is not None
