"""What happens around a stage of the pipeline where there is an object store: fetch before it, send after it.

A store that is away is said, and costs nothing that was made: the next stage, run, or `preceptor storage push` sends what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from preceptor.settings import Settings, Workspace
from preceptor.storage.errors import StorageError
from preceptor.storage.home import KEPT, Done, has_asked, objects_of, pull, push
from preceptor.vault import open_vault

Say = Callable[[str], None]


def fetch_missing(
    workspace: Workspace, settings: Settings, say: Say, roots: Collection[str] = tuple(KEPT)
) -> None:
    """Fetch the newest version of every stage that this home lacks, with what it was made from.

    Raises `StorageError` if the store is away and this home has no test split and never heard that the store has none: it would
    make one of its own, and test on what others train on.
    """
    if settings.storage.url is None:
        return
    objects = objects_of(workspace, settings)
    try:
        done = pull(workspace, objects, erased_patients(workspace, settings), roots)
    except StorageError as error:
        if not has_asked(workspace, objects):
            raise StorageError(
                f"{error} This home has no test split yet, and cannot know whether the store has one (rule storage-first): "
                "bring the store back, or take storage.url out of the settings."
            ) from None
        say(f"  warning: {error}")
        return
    _tell(done, "fetched", say)


def send_finished(workspace: Workspace, settings: Settings, say: Say) -> None:
    """Send every finished version that the store lacks; a store that is away is only said."""
    if settings.storage.url is None:
        return
    try:
        done = push(workspace, objects_of(workspace, settings))
    except StorageError as error:
        say(f"  warning: {error} Nothing of this run is lost: it is in the home.")
        return
    _tell(done, "sent", say)


def erased_patients(workspace: Workspace, settings: Settings) -> frozenset[str]:
    """References of the patients whom this home's vault knows as erased; none where there is no vault."""
    if not (workspace.vault / "vault.db").exists():
        return frozenset()
    vault = open_vault(workspace, settings.vault)
    try:
        return vault.erased_patients()
    finally:
        vault.close()


def _tell(done: Done, what: str, say: Say) -> None:
    if done.versions:
        say(
            f"  object store: {len(done.versions)} versions {what}, {done.files} files, {done.bytes / 1e6:.1f} MB"
        )
    for key, reason in done.left.items():
        say(f"  warning: {key}: {reason}")
