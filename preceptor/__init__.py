"""Preceptor: from raw clinical documents to a governed language model. Knows nothing of Dagster."""

__version__ = "0.1.0"
