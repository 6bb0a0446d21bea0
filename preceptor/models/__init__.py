"""Base models: what is in the catalogue, and how one comes to this machine."""

from preceptor.models.architecture import Architecture, read_architecture
from preceptor.models.catalogue import CatalogueEntry, load_catalogue
from preceptor.models.sources import ResolvedModel, kept_folder, resolve

__all__ = [
    "Architecture",
    "CatalogueEntry",
    "ResolvedModel",
    "kept_folder",
    "load_catalogue",
    "read_architecture",
    "resolve",
]
