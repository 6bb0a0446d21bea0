"""A real MLflow on SQLite, made once for all (its first connection takes seconds); a store for each test."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import pytest

from preceptor.release import users
from preceptor.release.candidates import submit
from preceptor.release.gates import GateDecision, GateReason
from preceptor.release.registry import Tracking, VersionInfo
from preceptor.release.standing import Validity
from preceptor.release.store import Store

KEY = bytes(range(32))
STAFF = {"ana": "approver", "ben": "approver", "pia": "privacy", "rita": "reviewer"}
PASSWORD = "correct horse battery"
VALIDITY = Validity("policy-1", days=90)
PASSED = GateDecision(
    True, (GateReason("cases", True, 12.0, 10, "12 test cases, at least 10 needed"),), VALIDITY.policy
)
REFUSED = GateDecision(False, (GateReason("cases", False, 3.0, 10, "3 test cases, at least 10 needed"),))
_numbers = itertools.count(1)


def bundle(**changes) -> dict:
    return {
        "data": {"curated": "aaaaaaaaaaaa-11111111", "synthetic": "bbbbbbbbbbbb-22222222"},
        "recipe": {"method": "lora", "rank": 16},
        "code": "0.1.0",
        "lock": "sha256:00",
        "base_model": {"name": "tiny", "digest": "ab" * 32},
        "evaluation": {
            "version": "cccccccccccc-33333333",
            "n_cases": 12,
            "headline": {"base": {"mean": 0.1, "low": 0.05, "high": 0.15}},
            "comparisons": {
                "finetuned_vs_base": {
                    "difference": 0.2,
                    "low": 0.1,
                    "high": 0.3,
                    "per_task": {"summary": 0.2},
                },
                "finetuned_vs_rag": {"difference": 0.01, "low": -0.1, "high": 0.12},
            },
        },
        "seeds": {"training": 7},
    } | changes


@pytest.fixture(scope="session")
def mlflow_home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="session")
def tracking(mlflow_home) -> Tracking:
    return Tracking(f"sqlite:///{mlflow_home / 'mlflow.db'}", (mlflow_home / "artifacts").as_uri())


@pytest.fixture
def empty(tmp_path):
    """A store without anybody."""
    opened = Store(tmp_path / "empty", KEY)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def staffed_folder(tmp_path_factory) -> Path:
    """Made once: a password costs a third of a second by design."""
    folder = tmp_path_factory.mktemp("staffed")
    made = Store(folder, KEY)
    for person, role in STAFF.items():
        users.add(made, person, role, PASSWORD, actor="operator:test")
    made.close()
    return folder


@pytest.fixture
def store(staffed_folder, tmp_path):
    """A store with the staff and nothing decided."""
    shutil.copytree(staffed_folder, tmp_path / "release")
    (tmp_path / "release").chmod(0o700)
    opened = Store(tmp_path / "release", KEY)
    yield opened
    opened.close()


@pytest.fixture
def name() -> str:
    """A model name that no other test uses, since they share one registry."""
    return f"model-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def make_version(tracking, store, name, tmp_path):
    """Register a model with the given weights under the test's own name."""

    def make(weights: str, decision: GateDecision = PASSED, **changes) -> VersionInfo:
        folder = tmp_path / f"weights-{weights}"
        (folder / "inner").mkdir(parents=True, exist_ok=True)
        (folder / "adapter.bin").write_text(weights)
        (folder / "inner" / "config.json").write_text("{}")
        return submit(tracking, store, name, None, folder, bundle(**changes), decision, actor="test")

    return make
