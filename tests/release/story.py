"""What the scripted story is played on: a tiny base model, two versions with a real evaluation each, a vault, and people.

Version 1 learned from one patient; version 2 also from a second, who is erased; 3 and 4 (`benchmarks/faults/release_story.py`) as version 1.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg

from preceptor.evaluation.evaluate import evaluate
from preceptor.evaluation.stage import tuned
from preceptor.models import resolve
from preceptor.records import Example, Labels, PatientRecord
from preceptor.release import users
from preceptor.release.candidates import submit
from preceptor.release.policy import policy_digest
from preceptor.release.registry import VersionInfo, tracking_of
from preceptor.release.store import open_store
from preceptor.settings import Settings, Workspace, load_settings
from preceptor.tables import EXAMPLES, write_examples
from preceptor.vault import open_vault
from preceptor.versions import make_version, write_atomic
from tests.evaluation.conftest import make_checkpoint
from tests.release.conftest import PASSED, PASSWORD, bundle

APPROVERS = {"ana": "Dr Ana Lund", "ben": "Dr Ben Okoye"}
PATIENTS = {
    1: ("78",),
    2: ("77", "78"),
    3: ("78",),
    4: ("78",),
}  # whom each version learned from, by the EHR's id


@dataclass(frozen=True)
class Home:
    workspace: Workspace
    config: Path
    settings: Settings
    base: Path

    def version(self, number: int) -> VersionInfo:
        """Register a version with its evaluation; the candidate."""
        adapter = self._adapter(number)
        curated = make_version(
            self.workspace.data,
            "curated",
            inputs={},
            config=number,
            code="1",
            write=lambda f: self._cases(f, number),
        )
        model = resolve(str(self.base), self.workspace)
        arms = {
            "base": tuned("base", self.base, model, "base", _nowhere),
            "finetuned": tuned(f"fine-tuned {number}", adapter, model, f"v{number}", _nowhere),
        }
        evaluation = make_version(
            self.workspace.reports,
            "evaluation",
            inputs={"curated": curated.name, "model": f"v{number}"},
            config=self.settings.evaluation.model_dump(mode="json"),
            code="1",
            write=lambda f: evaluate(
                curated.path, arms, self.settings.evaluation, self.workspace.reports / ".answers", f
            ),
        )
        facts = bundle(
            data={"curated": curated.name},
            base_model={"name": str(self.base), "digest": model.digest},
            evaluation=bundle()["evaluation"] | {"version": evaluation.name},
            seeds={"training": number},
        )
        decision = replace(PASSED, policy=policy_digest(self.settings.gates))
        store = open_store(self.workspace)
        try:
            tracking = tracking_of(self.workspace)
            return submit(tracking, store, "preceptor", None, adapter, facts, decision, actor="test")
        finally:
            store.close()

    def _adapter(self, number: int) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        folder = self.workspace.home / f"adapter-{number}"
        if not folder.exists():
            torch.manual_seed(number)
            lora = LoraConfig(
                r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False
            )
            get_peft_model(AutoModelForCausalLM.from_pretrained(self.base), lora).save_pretrained(folder)
        return folder

    def _cases(self, folder: Path, number: int) -> dict[str, Any]:
        vault = open_vault(self.workspace)
        try:
            documents = {
                p: (vault.find_patient(p), vault.document_refs(vault.find_patient(p))[0])
                for p in PATIENTS[number]
            }
        finally:
            vault.close()
        rows = [
            Example(
                f"summary-{n}-{patient}",
                "summary",
                "test",
                ref,
                (document,),
                "cardiology",
                f"Summarise this visit.\n\nVisit number {n}: a cough for {n} weeks.",
                "A cough.",
            )
            for patient, (ref, document) in documents.items()
            for n in range(3)
        ]
        write_examples(folder / EXAMPLES, rows)
        return {}


def _nowhere(_: Path) -> Any:
    raise AssertionError("a version with files answers here")


def make_home(folder: Path) -> Home:
    """A home with people and patients, and no version yet. Two approvals are asked for."""
    workspace = Workspace(folder / "home")
    workspace.mlflow.mkdir(parents=True)
    config = folder / "config.yaml"
    values = {
        "release": {"required_approvals": 2},
        "evaluation": {
            "arms": ["base", "finetuned"],
            "max_new_tokens": 16,
            "max_prompt_tokens": 900,
            "bootstrap_samples": 200,
            "memorisation": {"examples": 0},
        },
    }
    config.write_text(json.dumps(values))
    # float32 always: near-ties in another format may fall otherwise, which is not what is told here
    write_atomic(workspace.reports / ".answers" / "number-format.json", '{"dtype": "float32"}')
    base = make_checkpoint(folder / "base")
    store = open_store(workspace)
    for name, printed in APPROVERS.items():
        users.add(store, name, "approver", PASSWORD, actor="test", printed_name=printed)
    store.close()
    vault = open_vault(workspace)
    with vault.transaction():
        for patient in ("77", "78"):
            ref = vault.put_record(
                PatientRecord.from_mapping({"patient_id": patient, "name": "Wilhelmina Quackenbush"})
            )
            vault.put_document(
                ref,
                "b1",
                text=f"A cough, patient {patient}.",
                note_type="clinic note",
                specialty="cardiology",
                encounter=None,
                format="text",
                file_name=f"{patient}.txt",
                labels=Labels(codes={}),
            )
    vault.close()
    return Home(workspace, config, load_settings(None, config), base)


def sign_in(client: Any, name: str) -> str:
    """Sign in over HTTP as a person does; returns the token that forms carry."""
    page = client.get("/sign-in")
    form = {"form_token": _field(page.text, "form_token"), "name": name, "password": PASSWORD}
    assert client.post("/sign-in", data=form).headers["location"] == "/"
    return _field(client.get("/").text, "form_token")


def sign(client: Any, token: str, ref: str, reason: str) -> None:
    """Read the page of a version, then sign it as approved."""
    page = client.get(f"/releases/{ref}")
    form = {
        "form_token": token,
        "seen": _field(page.text, "seen"),
        "meaning": "approved",
        "reason": reason,
        "password": PASSWORD,
    }
    answer = client.post(f"/releases/{ref}/sign", data=form)
    assert answer.status_code == 303, answer.text[-500:]


def _field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="(\w+)"', page)
    assert found, name
    return found[1]


def sensor_asks(home: Home, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    """What the approval sensor wants started now."""
    from pipelines.definitions import defs
    from pipelines.sensors import approvals

    with dg.build_sensor_context(
        instance=instance, definitions=defs, resources={"workspace": resource(home)}
    ) as context:
        return list(approvals.evaluate_tick(context).run_requests or ())


def resource(home: Home) -> Any:
    from resources import WorkspaceResource

    return WorkspaceResource(home=str(home.workspace.home), config=str(home.config))


def job(home: Home, instance: dg.DagsterInstance, name: str, config: Any) -> dg.ExecuteInProcessResult:
    """A job of the definitions, in this process."""
    from pipelines.definitions import defs

    return defs.resolve_job_def(name).execute_in_process(
        instance=instance,
        run_config=config,
        resources={"workspace": resource(home)},
        raise_on_error=False,
    )
