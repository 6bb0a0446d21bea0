"""The intake stage of the pipeline: the configured corpus as a batch."""

from __future__ import annotations

from preceptor.documents.intake import batch_name, intake
from preceptor.errors import PreceptorError
from preceptor.progress import Progress, silent
from preceptor.settings import BUNDLED_CORPUS, Settings, resolve_path
from preceptor.vault import Vault


def corpus_batch(vault: Vault, settings: Settings) -> str | None:
    """The name of the batch that the corpus of the settings is; None if they name none."""
    return batch_name([resolve_path(settings.corpus)], vault, "corpus") if settings.corpus else None


def bases(vault: Vault, settings: Settings) -> dict[str, str]:
    """Under which licence or consent documents may be learnt from, by source or batch; of the bundled corpus we know."""
    bundled = corpus_batch(vault, settings) if settings.corpus == BUNDLED_CORPUS else None
    return {**({bundled: "CC0 1.0, fictional notes"} if bundled else {}), **settings.curation.basis}


def take_in_corpus(vault: Vault, settings: Settings, batch: str, on_progress: Progress = silent) -> None:
    """Make sure that `batch` is in the vault, taking in the corpus if it is that.

    Raises `PreceptorError` for a batch that the vault does not hold.
    """
    if settings.corpus and batch == corpus_batch(vault, settings):
        intake(
            [resolve_path(settings.corpus)],
            vault,
            settings.intake,
            records=resolve_path(settings.corpus_records) if settings.corpus_records else None,
            source="corpus",
            on_progress=on_progress,
        )
    elif batch not in vault.batches():
        raise PreceptorError(f"The vault holds no batch {batch}: bring documents in with `preceptor intake`.")
