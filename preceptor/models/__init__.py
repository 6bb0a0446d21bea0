"""Base models: what is in the catalogue, and how one comes to this machine."""

from preceptor.models.apis import ApiModel, Apis, load_apis
from preceptor.models.architecture import Architecture, read_architecture
from preceptor.models.catalogue import CatalogueEntry, load_catalogue
from preceptor.models.licences import Licence, load_licences
from preceptor.models.published import Score, Told
from preceptor.models.sources import ResolvedModel, kept_folder, resolve

__all__ = [
    "ApiModel",
    "Apis",
    "Architecture",
    "CatalogueEntry",
    "Licence",
    "ResolvedModel",
    "Score",
    "Told",
    "kept_folder",
    "load_apis",
    "load_catalogue",
    "load_licences",
    "read_architecture",
    "resolve",
]
