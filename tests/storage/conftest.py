"""Homes with a few finished versions made from two patients of a real vault, and stores to keep them in."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from preceptor.keys import storage_key
from preceptor.quality.gate import SUITES, Verdict
from preceptor.records import Labels, PatientRecord
from preceptor.settings import Settings, StorageSettings, Workspace
from preceptor.storage.home import objects_of
from preceptor.storage.objects import Objects
from preceptor.vault import open_vault
from preceptor.versions import DatasetVersion, file_sha256, make_version, write_atomic


@dataclass
class House:
    """A home, the references of its patients by id, and its versions by stage."""

    workspace: Workspace
    refs: dict[str, str]
    versions: dict[str, DatasetVersion]

    def erased(self) -> frozenset[str]:
        with closing(open_vault(self.workspace)) as vault:
            return vault.erased_patients()


def passes(workspace: Workspace, suite: str, version: str, passed: bool = True) -> None:
    verdict = Verdict(suite, file_sha256(SUITES / f"{suite}.json"), version, passed, 2, [])
    write_atomic(workspace.data / "verdicts" / f"{suite}-{version}.json", json.dumps(asdict(verdict)))


def _rows(**columns):
    def write(folder: Path):
        for name in ("examples", "removed"):
            pq.write_table(pa.table({**columns, "file": [name] * 2}), folder / f"{name}.parquet")
        return {"rows": len(columns["patient_ref"])}

    return write


def make_house(home: Path) -> House:
    workspace = Workspace(home)
    refs, documents = {}, {}
    with closing(open_vault(workspace)) as vault, vault.transaction():
        for patient in ("77", "78"):
            refs[patient] = vault.put_record(PatientRecord.from_mapping({"patient_id": patient}))
            vault.put_document(
                refs[patient],
                "b1",
                text="A cough.",
                note_type="note",
                specialty="cardiology",
                encounter=None,
                format="text",
                file_name=f"{patient}.txt",
                labels=Labels(codes={}),
            )
            documents[patient] = vault.document_refs(refs[patient])[0]
    patients = [refs["77"], refs["78"]]
    of = {"patient_ref": patients, "document_ref": list(documents.values()), "text": ["cough", "fever"]}
    what = {"config": {}, "code": "1"}
    deid = make_version(workspace.data, "deid-b1", inputs={"b1": "x"}, **what, write=_rows(**of))
    passes(workspace, "deidentified_documents", deid.name)
    curated = make_version(
        workspace.data, "curated", inputs={"deid-b1": deid.name}, **what, write=_rows(**of)
    )
    passes(workspace, "curated_examples", curated.name)
    write_atomic(workspace.data / "splits.json", json.dumps({refs["77"]: "train", refs["78"]: "test"}))
    write_atomic(
        workspace.data / "test-split.json",
        json.dumps({"summary": {"by": "x", "cases": {"c1": "d"}, "grows": False}}),
    )

    def adapter(folder: Path):
        (folder / "adapter.safetensors").write_bytes(b"\1" * 1000)
        return {}

    model = make_version(workspace.models, "model", inputs={"curated": curated.name}, **what, write=adapter)

    def report(folder: Path):
        _rows(**of)(folder)
        (folder / "report.html").write_text("shown case")
        return {}

    evaluation = make_version(
        workspace.reports,
        "evaluation",
        inputs={"curated": curated.name, "model": model.name},
        **what,
        write=report,
    )
    for stage in ("phi_tagger", "ablation"):  # never kept
        make_version(workspace.data, stage, inputs={}, **what, write=adapter)
    versions = {v.stage: v for v in (deid, curated, model, evaluation)}
    return House(workspace, refs, versions)


def another(house: House, home: Path) -> Workspace:
    """A home restored with vault and keys alone: what is amber is to come from the store."""
    home.mkdir()
    for name in ("vault", "keys"):
        shutil.copytree(house.workspace.home / name, home / name)
    return Workspace(home)


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> House:
    return make_house(tmp_path_factory.mktemp("built") / "home")


@pytest.fixture
def house(built, tmp_path) -> House:
    shutil.copytree(built.workspace.home, tmp_path / "home")
    workspace = Workspace(tmp_path / "home")
    moved = {
        stage: DatasetVersion(
            v.stage, v.name, workspace.home / v.path.relative_to(built.workspace.home), v.manifest
        )
        for stage, v in built.versions.items()
    }
    return House(workspace, built.refs, moved)


@pytest.fixture(params=["memory", "file", "s3"])
def objects(request, tmp_path, house) -> Objects:
    """A store of each kind; `s3` where PRECEPTOR_TEST_S3 names a server for trials, as http://127.0.0.1:PORT."""
    if request.param == "file":
        return objects_of(house.workspace, Settings(storage=StorageSettings(url=f"file://{tmp_path}/store")))
    if request.param == "s3":
        return _on_s3(request.getfixturevalue("bucket"), house)
    import fsspec

    return Objects(
        fsspec.filesystem("memory"), f"/{tmp_path.name}", "memory://", storage_key(house.workspace)
    )


@pytest.fixture(scope="session")
def bucket() -> tuple[str, str]:
    """The server's address, and a bucket there."""
    if not (endpoint := os.environ.get("PRECEPTOR_TEST_S3")):
        pytest.skip("no S3 server: PRECEPTOR_TEST_S3 is not set")
    from pyarrow.fs import S3FileSystem

    os.environ.setdefault("AWS_ACCESS_KEY_ID", "trial")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "trial")
    name = f"trial-{uuid.uuid4().hex[:12]}"
    scheme, _, place = endpoint.partition("://")
    S3FileSystem(
        scheme=scheme,
        endpoint_override=place,
        region="us-east-1",
        allow_bucket_creation=True,
        request_timeout=60,
    ).create_dir(name)
    return endpoint, name


def _on_s3(bucket: tuple[str, str], house: House) -> Objects:
    endpoint, name = bucket
    url = f"s3://{name}/{uuid.uuid4().hex[:12]}"
    return objects_of(
        house.workspace, Settings(storage=StorageSettings(url=url, endpoint=endpoint, region="us-east-1"))
    )
