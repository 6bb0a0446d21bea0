"""`preceptor forget`: erase a patient."""

from __future__ import annotations

import click

from preceptor.cli._common import emit, json_option, settings, workspace
from preceptor.errors import UsageError


@click.command()
@click.option("--patient", required=True, metavar="ID", help="The patient id or MRN of the EHR.")
@json_option
def forget(patient: str, as_json: bool) -> None:
    """Erase a patient: the vault's key is destroyed, derived records go, and the model versions made from them are
    listed and barred from promotion.

    The object store of `storage.url` is cleaned too. Erasure cannot be undone. Model weights that are in use keep what
    they learnt: retrain, and promote the result.
    """
    from preceptor.release.erasure import erase
    from preceptor.release.registry import tracking_of
    from preceptor.release.store import open_store
    from preceptor.release.users import operator
    from preceptor.storage.home import objects_of
    from preceptor.vault import open_vault

    ours, given = workspace(), settings()
    objects = objects_of(ours, given) if given.storage.url else None
    vault = open_vault(ours)
    store = open_store(ours)
    try:
        ref = vault.find_patient(patient)
        if ref is None:
            raise UsageError("The vault knows no patient by this id.")
        result = erase(ours, vault, tracking_of(ours), store, ref, operator(), objects)
    finally:
        store.close()
        vault.close()
    said = (
        f"patient {ref}: {result['documents']} documents erased, {len(result['versions'])} data set versions cleaned, "
        f"{len(result['models'])} model versions reached"
        + (f" and barred: {', '.join(result['models'])}" if result["models"] else "")
        + ". Run `preceptor run` (or the retraining job) to make versions without this patient."
    )
    emit(result, as_json, said)
