"""What two versions were made from differently, by their bundles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What two bundles say differently: key, the one, the other.

    >>> differences({"recipe": {"rank": 8}}, {"recipe": {"rank": 16}})
    [('recipe.rank', '8', '16')]
    """
    one, other = flat(before), flat(after)
    return [
        (key, *_told_apart(one.get(key, "–"), other.get(key, "–")))
        for key in sorted(one.keys() | other.keys())
        if key not in one or key not in other or one[key] != other[key]
    ]


def flat(value: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """The values of nested mappings by their dotted keys."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        key = f"{at}.{name}" if at else str(name)
        found |= flat(inner, key) if isinstance(inner, Mapping) else {key: inner}
    return found


def _told_apart(one: Any, other: Any) -> tuple[str, str]:
    """Both as text: floats in four digits, unless that hides the difference."""
    short = tuple(f"{value:.4g}" if isinstance(value, float) else str(value) for value in (one, other))
    return (short[0], short[1]) if short[0] != short[1] else (repr(one), repr(other))
