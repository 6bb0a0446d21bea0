"""Which model version may be used: gates, signatures, aliases, promotion, rollback, lineage, model card."""

from __future__ import annotations

# Part of the code version of whatever is made with these gates.
VERSION = "1"
