"""For mkdocs: links from the pages to files of the checkout (code, recipes, the README) become their names, since the site is of docs/ only."""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A link that leads out of docs/ keeps its words."""
    return _OUTSIDE.sub(r"\1", markdown)
