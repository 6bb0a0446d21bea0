"""A value replaced by its type in brackets."""

from __future__ import annotations

from preceptor.deid.policies import Policy
from preceptor.deid.surrogates.ages import capped
from preceptor.deid.surrogates.dates import years_of


def masked(type: str, value: str, policy: Policy, first_year: int = 0) -> str:
    """`[TYPE]`. What the policy keeps stays, ages end at 90+, and years before `first_year` go with the dates: they could
    tell an age over 89."""
    if policy.keeps(type):
        return value
    if type == "AGE":
        return capped(value)
    if type == "YEAR" and all(year >= first_year for year in years_of(value) or ()):
        return value
    return f"[{type}]"
