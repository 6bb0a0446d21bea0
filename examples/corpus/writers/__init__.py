"""One module per file format; each has `write(note) -> bytes`, the same bytes for the same note everywhere."""
