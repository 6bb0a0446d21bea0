"""A house with people of every role, a candidate, an evaluation of two arms and a de-identified batch; browsers with a session."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from preceptor.deid.engine import Deidentifier
from preceptor.deid.stage import deidentify_batch
from preceptor.keys import deid_secret
from preceptor.records import Example, Labels, PatientRecord
from preceptor.release import users
from preceptor.release.candidates import submit
from preceptor.release.registry import tracking_of
from preceptor.release.store import ROLES, open_store
from preceptor.review.app import application, house_of
from preceptor.settings import DeidSettings, Settings, Workspace
from preceptor.tables import EXAMPLES, write_examples, write_rows
from preceptor.vault import open_vault
from preceptor.versions import make_version, write_atomic
from tests.release.conftest import PASSED, PASSWORD, bundle

CASES = [f"summary-{n}" for n in range(6)]


BATCH = "b1"
MISSED = "88412067"  # a number that the first pass is made to miss, as it might one of an unknown form
NOTES = {
    "1": f"Seen for a cough. Please see {MISSED} when you call.",
    "2": "Zbrzezny was tired.\nMRN: Q-20077, 61 y/o, no fever.",
    "3": "Ankle sprain, 61 y/o. MRN: Q-30077",
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """People of every role, a candidate, an evaluation of two arms, and three de-identified notes, one of them withheld."""
    workspace = Workspace(tmp_path_factory.mktemp("home"))
    workspace.mlflow.mkdir()
    store = open_store(workspace)
    for role in ROLES:
        users.add(store, f"{role}-1", role, PASSWORD, actor="test", printed_name=f"Dr {role.title()}")

    def write(folder):
        rows = [
            Example(c, "summary", "test", f"p-{c}", (f"d-{c}",), "x", f"Do it.\n\nThe visit <{c}>", "ref")
            for c in CASES
        ]
        write_examples(folder / EXAMPLES, rows)
        return {}

    curated = make_version(workspace.data, "curated", inputs={}, config={}, code="1", write=write)

    def evaluate(folder):
        rows = [
            {"example_id": c, "patient_ref": f"p-{c}", "arm": arm, "answer": f"{arm.upper()}TEXT of {c}"}
            for arm in ("base", "finetuned")
            for c in CASES
        ]
        write_rows(folder / "predictions.parquet", rows, dict.fromkeys(rows[0], "string"))
        write_atomic(folder / "report.json", '{"arms": {"base": {}, "finetuned": {}}, "n_cases": 6}')
        write_atomic(folder / "report.html", '<style>p{color:red}</style><p style="margin:0">Report</p>')
        return {}

    made = make_version(
        workspace.reports, "evaluation", inputs={"curated": curated.name}, config={}, code="1", write=evaluate
    )
    model = workspace.home / "weights"
    model.mkdir()
    (model / "adapter.bin").write_text("w")
    facts = bundle(evaluation=bundle()["evaluation"] | {"version": made.name})
    submit(tracking_of(workspace), store, "preceptor", None, model, facts, PASSED, actor="test")
    store.close()
    settings = Settings(deid=DeidSettings(tagger="none"))
    with pytest.MonkeyPatch.context() as patch:
        _miss(patch)
        _deidentify(workspace, settings)
        yield house_of(workspace, settings)


def _miss(patch):
    whole = Deidentifier.patient_spans

    def some(self, texts, record=None):
        return [
            [s for s in spans if MISSED not in text[s.start : s.end]]
            for text, spans in zip(texts, whole(self, texts, record), strict=True)
        ]

    patch.setattr(Deidentifier, "patient_spans", some)


def _deidentify(workspace, settings):
    vault = open_vault(workspace)
    for patient, text in NOTES.items():
        with vault.transaction():
            ref = vault.put_record(
                PatientRecord.from_mapping({"patient_id": patient, "mrn": f"Q-{patient}0077"})
            )
            vault.put_document(
                ref, BATCH, text=text, note_type="clinic note", specialty="general", encounter=None, format="text",
                file_name=f"{patient}.txt", labels=Labels(codes={}),
            )  # fmt: skip
    deidentify_batch(vault, BATCH, workspace.data, settings.deid, deid_secret(workspace))
    vault.close()


@pytest.fixture
def browser(house):
    return lambda: TestClient(application(house), base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture
def token_of():
    return lambda page: re.search(r'name="form_token" value="(\w+)"', page.text)[1]


@pytest.fixture
def signed_in(house, browser, token_of):
    """A browser with a session; the password is checked in its own test, since that is slow by design."""

    def enter(name):
        client = browser()
        client.cookies.set(house.cookie, house.sessions.begin(name), domain="127.0.0.1")
        page = client.get("/")
        assert page.status_code == 200
        return client, token_of(page)

    return enter
