"""A home with a vault, data of two batches and a champion made from the first; no model in it has weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from preceptor.models.sources import checkpoint_digest
from preceptor.records import Example, Labels, PatientRecord
from preceptor.release import users
from preceptor.release.candidates import submit
from preceptor.release.gates import GateDecision, GateReason
from preceptor.release.registry import CHAMPION, VersionInfo, set_alias, tracking_of
from preceptor.release.store import Store, open_store
from preceptor.settings import Settings, Workspace
from preceptor.tables import EXAMPLES, write_examples
from preceptor.vault import open_vault
from preceptor.versions import DatasetVersion, make_version

PASSWORD = "correct horse battery"
PASSED = GateDecision(True, (GateReason("cases", True, 12.0, 10, "12 test cases"),), "policy")


@dataclass
class Home:
    """`patients` are the references of those whose examples the champion learnt from."""

    workspace: Workspace
    settings: Settings
    champion: VersionInfo
    patients: list[str]

    def batch(self, name: str, documents: int) -> DatasetVersion:
        """A further batch, de-identified: what counts of it is how many documents came out."""
        _take_in(self.workspace, name, f"{name}-1")
        return _deidentified(self.workspace, name, documents)

    def with_settings(self, **changes) -> Settings:
        self.settings = Settings(**{**self.settings.model_dump(), **changes})
        return self.settings


def reviewing(store: Store) -> Callable[[bytes], bytes]:
    """The signature of rita, who reviews examples."""
    if not any(user.name == "rita" for user in users.list_users(store)):
        users.add(store, "rita", "reviewer", PASSWORD, actor="test")
    return users.authenticate(store, "rita", PASSWORD).sign


def _take_in(workspace: Workspace, batch: str, patient: str) -> str:
    vault = open_vault(workspace)
    try:
        with vault.transaction():
            ref = vault.put_record(PatientRecord.from_mapping({"patient_id": patient, "name": "A Person"}))
            vault.put_document(
                ref,
                batch,
                text=f"A cough, {patient}.",
                note_type="clinic note",
                specialty="general",
                encounter=None,
                format="text",
                file_name="a.txt",
                labels=Labels(),
            )
    finally:
        vault.close()
    return ref


def _deidentified(workspace: Workspace, batch: str, documents: int) -> DatasetVersion:
    return make_version(
        workspace.data,
        f"deid-{batch}",
        inputs={batch: "manifest"},
        config={},
        code="1",
        write=lambda folder: {"documents": documents},
    )


@pytest.fixture(scope="session")
def _home(tmp_path_factory) -> Home:
    workspace = Workspace(tmp_path_factory.mktemp("monitored") / "home")
    base = workspace.home / "tiny-base"
    base.mkdir(parents=True)
    (base / "config.json").write_text("{}")
    patients = [_take_in(workspace, "b1", f"b1-{n}") for n in (1, 2)]
    first = _deidentified(workspace, "b1", 30)
    examples = [
        Example(f"summary-{n}", "summary", "train", ref, (f"d{n}",), "general", "Say it.\n\nCough.", "Cough.")
        for n, ref in enumerate(patients)
    ]

    def write(folder: Path) -> dict:
        write_examples(folder / EXAMPLES, examples)
        return {}

    curated = make_version(
        workspace.data, "curated", inputs={first.stage: first.name}, config={}, code="1", write=write
    )
    tracking, store = tracking_of(workspace), open_store(workspace)
    model = workspace.models / "adapter"
    model.mkdir(parents=True)
    (model / "adapter.bin").write_text("weights")
    bundle = {
        "data": {"curated": curated.name, "model": "model-1"},
        "deid_versions": [first.name],
        "recipe": {"method": "lora"},
        "code": "1",
        "lock": "sha256:00",
        "base_model": {"name": f"path:{base}", "digest": checkpoint_digest(base)},
        "evaluation": {"version": "evaluation-1", "n_cases": 12, "headline": {}, "comparisons": {}},
        "seeds": {"training": 7},
    }
    info = submit(tracking, store, "preceptor", None, model, bundle, PASSED, actor="test")
    set_alias(tracking, "preceptor", CHAMPION, info.version)
    store.append("promoted", info.ref, "test", {"version": info.ref})
    store.close()
    settings = Settings(corpus=None, corpus_records=None, base_model=f"path:{base}")
    return Home(workspace, settings, info, patients)


@pytest.fixture
def home(_home, tmp_path, monkeypatch) -> Home:
    """The home of this test alone, but for MLflow's files: each run has a folder of its own where the first was made."""
    workspace = Workspace(tmp_path / "home")
    shutil.copytree(_home.workspace.home, workspace.home)
    for name in ("vault", "release"):
        (workspace.home / name).chmod(0o700)
    config = tmp_path / "config.yaml"
    config.write_text(
        json.dumps({"corpus": None, "corpus_records": None, "base_model": _home.settings.base_model})
    )
    monkeypatch.setenv("PRECEPTOR_HOME", str(workspace.home))
    monkeypatch.setenv("PRECEPTOR_CONFIG", str(config))
    return Home(workspace, _home.settings, _home.champion, list(_home.patients))
