"""Use cases: what a document, or a pair of them, teaches. One module for each kind of answer."""

from preceptor.curation.tasks.base import Draft, Shelf, UseCase, load_use_cases
from preceptor.curation.tasks.derive import derive

__all__ = ["Draft", "Shelf", "UseCase", "derive", "load_use_cases"]
