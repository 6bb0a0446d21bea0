"""Reading clinical documents: one module per format, a registry that picks it, and what stops a file."""
