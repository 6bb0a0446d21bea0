"""How the stories of faults end: as they should, or with what was otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable


class Wrong(AssertionError):
    """It went otherwise."""


def must(holds: object, otherwise: str) -> None:
    """Raise `Wrong` unless it holds."""
    if not holds:
        raise Wrong(otherwise)


def played(play: Callable[[], object], after: Callable[[], None] | None = None) -> int:
    """Play a story, then do what comes `after` in any case; return 0, or 1 with what was otherwise on standard error."""
    try:
        play()
    except (Wrong, TimeoutError) as otherwise:
        print(f"It went otherwise: {otherwise}", file=sys.stderr)
        return 1
    finally:
        if after:
            after()
    return 0
