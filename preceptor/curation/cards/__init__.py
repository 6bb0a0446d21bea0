"""The data card of a curated version, for people (README.md) and for tools (croissant.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preceptor.curation.cards.croissant import croissant
from preceptor.curation.cards.facts import card_facts
from preceptor.curation.cards.markdown import markdown
from preceptor.versions import DatasetVersion, write_atomic

__all__ = ["card_facts", "croissant", "markdown", "write_card"]
FOLDER = "data-cards"  # among the reports


def write_card(facts: Mapping[str, Any], version: DatasetVersion, reports: Path) -> Path:
    """Write both forms among the reports; return their folder."""
    folder = reports / FOLDER / version.name
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "README.md", markdown(facts))
    text = json.dumps(croissant(facts, version, folder), indent=1, ensure_ascii=False)
    write_atomic(folder / "croissant.json", text + "\n")
    return folder
