"""How figures are written in every document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SMALLEST = 11  # patients; smaller groups are not told apart (CMS cell size suppression policy)
FEW = f"fewer than {SMALLEST}"


def number(value: Any, places: int = 3, sign: str = "") -> str:
    """A figure to so many places; "–" where there is none.

    >>> number(0.12345), number(None), number(0.5, 1, "+")
    ('0.123', '–', '+0.5')
    """
    return f"{value:{sign}.{places}f}" if _is_number(value) else "–"


def interval(found: Mapping[str, Any], sign: str = "") -> str:
    """The 95 % interval of an estimate; "–" where there is none."""
    if not (_is_number(found.get("low")) and _is_number(found.get("high"))):
        return "–"
    return f"{number(found['low'], sign=sign)} to {number(found['high'], sign=sign)}"


def patients(count: int | None) -> int | str | None:
    """A number of patients as it may be told: a small one is not.

    >>> patients(5), patients(0), patients(12)
    ('fewer than 11', 0, 12)
    """
    return FEW if count is not None and 0 < count < SMALLEST else count


def listed(mapping: Mapping[str, Any]) -> str:
    """The pairs of a mapping: "train 3, test 1"."""
    return ", ".join(f"{name} {value}" for name, value in mapping.items())


def plain(value: Any) -> str:
    """Any recorded value on one line."""
    if isinstance(value, Mapping):
        return listed({name: plain(inner) for name, inner in value.items()}) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else "none" if value in (None, "") else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
