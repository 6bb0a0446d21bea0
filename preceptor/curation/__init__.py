"""From de-identified documents to instruction data."""

VERSION = "9"
