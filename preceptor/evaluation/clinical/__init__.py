"""Clinical facts in what a model writes: found, and compared with the document and the reference."""
