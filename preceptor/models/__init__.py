"""Base models: what is in the catalogue, and how one comes to this machine."""

from preceptor.models.catalogue import CatalogueEntry, load_catalogue
from preceptor.models.sources import ResolvedModel, kept_folder, resolve

__all__ = ["CatalogueEntry", "ResolvedModel", "kept_folder", "load_catalogue", "resolve"]
