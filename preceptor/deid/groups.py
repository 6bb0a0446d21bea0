"""What may be said beside a clean document of whom and by whom it is: coarse groups, never a value of the record.

They serve the balance of the data and, later, fairness; the risk report counts sex and age band among what could
single a patient out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from preceptor.records import Document, PatientRecord

# Lower ends in years. The last one is open, and 90 and over are inside it, as 45 CFR 164.514(b)(2)(i)(C) asks.
_BANDS = (0, 1, 13, 18, 40, 65, 85)
_SEXES = {"f": "female", "female": "female", "woman": "female", "m": "male", "male": "male", "man": "male"}
# A role is what the file says, free text; only its kind is passed on.
_ROLES = {
    "student": r"student|intern\b|trainee",
    "advanced practice": r"nurse practitioner|\bnp\b|physician assistant|\bpa\b|\bpa-c\b|\bcrna\b",
    "nurse": r"nurs|\brn\b|\blpn\b|midwi",
    "physician": r"physician|doctor|attending|resident|fellow|surgeon|consultant|\bmd\b|\bdo\b|radiolog|patholog|hospitalist",
    "therapist": r"therap|psycholog|counsel|social work|\blcsw\b",
    "pharmacist": r"pharm",
}


def age_band(record: PatientRecord | None, document: Document) -> str | None:
    """`40-64`, `85+`: the patient's age when the document was written; None where either date is not known to the year."""
    born, written = (_year(record.birth_date) if record else None), _year(document.date)
    if born is None or written is None or written < born:
        return None
    age = written - born - (_day(record.birth_date if record else None) > _day(document.date))
    low = max(band for band in _BANDS if band <= max(0, age))
    after = next((band for band in _BANDS if band > low), None)
    if low == 0:
        return "under 1"
    return f"{low}-{after - 1}" if after else f"{low}+"


def sex(record: PatientRecord | None) -> str | None:
    """`female` or `male`, `other` for anything else the record says; None where it says nothing."""
    said = ((record.sex if record else None) or "").strip().lower()
    return _SEXES.get(said, "other") if said and said not in ("u", "unknown") else None


def author_role(document: Document) -> str | None:
    """The kind of author: one of a few; None where the file says none."""
    said = document.author_role
    if not said:
        return None
    return next((role for role, pattern in _ROLES.items() if re.search(pattern, said)), "other")


def whole_date(document: Document) -> tuple[str, ...]:
    """The day on which it was written, where that is known: to be de-identified like any date of its text."""
    date = document.date or ""
    return (date[:10],) if re.match(r"\d{4}-\d{2}-\d{2}", date) else ()


def year(document: Document, shown: Mapping[str, str]) -> str | None:
    """The year in which it was written as the policy shows it; `shown`: whole dates and what became of them."""
    date = next(iter(whole_date(document)), document.date) or ""
    told = re.match(r"(\d{4})(?! or earlier)", shown.get(date, date))
    return told[1] if told else None


def _year(date: str | None) -> int | None:
    return int(date[:4]) if date and re.match(r"\d{4}", date) else None


def _day(date: str | None) -> str:
    return (date or "")[5:10]
