from __future__ import annotations

import pytest

from preceptor.records import Labels, PatientRecord
from preceptor.settings import Workspace
from preceptor.vault import Vault

NAME = "Wilhelmina Quackenbush"
KEY = bytes(range(32))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A home that is not there yet, and an environment that says nothing of keys."""
    for name in (
        "PRECEPTOR_MASTER_KEY",
        "PRECEPTOR_MASTER_KEY_FILE",
        "PRECEPTOR_AGE_IDENTITY_FILE",
        "PRECEPTOR_AGE_RECIPIENTS",
        "PRECEPTOR_ACTOR",
        "VAULT_ADDR",
        "VAULT_TOKEN",
        "VAULT_TOKEN_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    return Workspace(tmp_path / "home")


@pytest.fixture
def vault(tmp_path):
    opened = Vault(tmp_path / "vault", KEY)
    yield opened
    opened.close()


@pytest.fixture
def put():
    """Put a patient's document into a vault; returns the references and whether it was new."""

    def put(vault, patient="77", text=f"{NAME} has a cough.", batch="b1", file_name="a.txt", **more):
        with vault.transaction():
            ref = vault.put_record(
                PatientRecord.from_mapping({"patient_id": patient, "name": NAME, "mrn": f"M-{patient}"})
            )
            document, new = vault.put_document(
                ref,
                batch,
                text=text,
                note_type="clinic note",
                specialty="general",
                encounter=None,
                format="text",
                file_name=file_name,
                labels=Labels(codes={"R05.9": ["cough"]}),
                **more,
            )
        return ref, document, new

    return put


@pytest.fixture
def stored():
    """All bytes below a folder."""

    def stored(folder):
        return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    return stored
