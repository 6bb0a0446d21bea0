"""Which model a plan is for: a name of the catalogue, a folder, or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from preceptor.errors import UsageError
from preceptor.models import Architecture, CatalogueEntry, kept_folder, load_catalogue, read_architecture
from preceptor.settings import Workspace, resolve_path


@dataclass(frozen=True, slots=True)
class Subject:
    """`context`: tokens that the model was made for at most, None where it is not known."""

    name: str
    architecture: Architecture
    context: int | None


def find_subject(name: str, changes: dict[str, Any], workspace: Workspace) -> Subject:
    """The model that `name` means, with `changes` laid over the numbers of its architecture.

    `name` is of the catalogue (case and the hub's ORG/ do not matter, and the beginning is enough where no other begins so),
    a folder with a config.json, as it is or as path:FOLDER, or any name where the changes give every number. Raises `UsageError` naming
    the known models.
    """
    known = _known(name, workspace)
    values = known.architecture.model_dump() if known else {}
    if known is None and not changes:
        raise UsageError(
            f"There is no base model {name!r}: the catalogue has {', '.join(load_catalogue())}. Or name a folder with a "
            "config.json, or give the numbers of its architecture: --set layers=32 --set hidden=4096 …"
        )
    if changes:
        values |= changes | {"source": f"{values['source']}, changed" if known else "as given"}
    try:
        architecture = Architecture(**values)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise UsageError(f"--set: {said}. Facts are {', '.join(Architecture.model_fields)}.") from None
    if architecture.experts and not architecture.active_experts:
        raise UsageError("--set: experts need active_experts, the number that a token goes through.")
    return Subject(known.name if known else name, architecture, known.context if known else None)


def _known(name: str, workspace: Workspace) -> Subject | None:
    catalogue = load_catalogue()
    if name not in catalogue and (name.startswith("path:") or Path(name).is_dir()):
        folder = resolve_path(name.removeprefix("path:")) if name.startswith("path:") else Path(name)
        return Subject(name, read_architecture(folder), None)
    wanted = name.removeprefix("hf:").partition("@")[0].rpartition("/")[2].lower()
    found = [n for n in catalogue if n == wanted] or [n for n in catalogue if n.startswith(wanted)]
    if len(found) > 1:
        raise UsageError(f"--model {name} may be {' or '.join(found)}.")
    if not found:
        return None
    entry = catalogue[found[0]]
    return Subject(found[0], entry.architecture or _of_folder(found[0], entry, workspace), entry.context)


def _of_folder(name: str, entry: CatalogueEntry, workspace: Workspace) -> Architecture:
    folder = kept_folder(entry.source, workspace)
    if folder is None:
        raise UsageError(
            f"The catalogue says no architecture of {name}, and the model is not on this machine. Give its numbers with "
            "--set, or put them into recipes/base-models.yaml."
        )
    return read_architecture(folder)
