"""Facts of a version as they are gathered, from a report and manifests that hold texts which must not come out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from preceptor.papers import facts as gathered
from preceptor.papers.facts import Facts
from preceptor.release.registry import VersionInfo
from preceptor.settings import Settings, Workspace

CANARY = "Wilhelmina Quackenbush, MRN 8675309"  # wherever people or documents could have put it
CURATED, MODEL, EVALUATION = "aaaaaaaaaaaa-11111111", "dddddddddddd-44444444", "cccccccccccc-33333333"
GATE = {
    "passed": False,
    "policy": "ab" * 32,
    "reasons": [
        {"rule": "cases", "passed": True, "measured": 40.0, "required": 10, "text": "40 test cases, at least 10 needed"},
        {"rule": "gain-over-base", "passed": True, "measured": 0.03, "required": 0.0, "text": "gain +0.0300, must exceed +0.0000"},
        {"rule": "limit:memorisation.leaks", "passed": False, "measured": 2, "required": 0, "text": "memorisation.leaks 2, at most 0 allowed"},
    ],
}  # fmt: skip


def bundle(**changes: Any) -> dict[str, Any]:
    made = {
        "data": {"curated": CURATED, "synthetic": "bbbbbbbbbbbb-22222222", "model": MODEL},
        "deid_versions": ["eeeeeeeeeeee-55555555"],
        "recipe": {
            "recipe": {"optimizer": {"learning_rate": 0.0004}, "seed": 20, "sampling": {"population": False}}
        },
        "code": {"version": "0.1.0", "training": "2"},
        "lock": "sha256:00",
        "base_model": {"name": "smollm2-135m-instruct", "digest": "cd" * 32},
        "evaluation": {"version": EVALUATION, "n_cases": 40, "headline": None, "comparisons": None},
        "seeds": {"training": 20},
        "gate": GATE,
        "note": CANARY,
    }
    return made | changes


def _arm(label: str, mean: float) -> dict[str, Any]:
    estimate = {"mean": mean, "low": mean - 0.02, "high": mean + 0.02, "cases": 40, "patients": 21}
    task = {
        "primary": "rouge_l",
        **estimate,
        "cases": 12,
        "patients": 7,
        "metrics": {"rouge_l": {"mean": mean, "cases": 12}},
    }
    return {"label": label, "headline": estimate, "tasks": {"summary": task}, "answers": {"empty": 0}}


REPORT: dict[str, Any] = {
    "evaluation": "evaluation-3",
    "dataset": CURATED,
    "cases": "test split",
    "n_cases": 40,
    "n_patients": 21,
    "cases_by_task": {"summary": 40},
    "measures": {"summary": "rouge_l"},
    "settings": {"bootstrap_samples": 10_000, "seed": 20, "fewshot_instructions": {"summary": [CANARY]}, "regression_set": CANARY},
    "arms": {"base": _arm("Base model", 0.2), "finetuned": _arm("Fine-tuned model", 0.3)},
    "comparisons": {
        "finetuned_vs_base": {
            "arm": "finetuned", "against": "base", "difference": 0.1, "low": 0.03, "high": 0.17, "p_holm": 0.01, "cases": 40,
            "patients": 21, "family": "candidate", "per_task": {"summary": 0.1}, "example": CANARY,
        }
    },
    "probes": {
        "memorisation": {"gate": {"leaks": 2, "said": CANARY}, "notes": [CANARY], "leaks": {"finetuned": {"cases": [CANARY]}}},
        "clinical_facts": {"gate": {"hallucination_rate": 0.16}, "shown": CANARY},
        "fairness": {
            "groups": [
                {"field": "specialty", "group": "cardiology", "cases": 20, "patients": 15, "mean": 0.31,
                 "gap": {"mean": 0.02, "low": -0.03, "high": 0.07, "p": 0.4}, "worse": False, "small": False},
                {"field": "specialty", "group": CANARY, "cases": 3, "patients": 2, "mean": 0.1, "gap": None, "worse": False, "small": True},
            ],
            "gate": {"worst_group_gap": 0.0},
        },
    },
    "skipped": [{"arm": "champion", "why": CANARY}],
    "notes": [CANARY],
    "verdict": {"headline": "On these 40 cases the fine-tuned model is better than the base model.", "cautions": ["From 21 patients."]},
}  # fmt: skip


def _group(train: int, patients: int) -> dict[str, Any]:
    return {
        "train": train,
        "validation": 0,
        "test": 0,
        "patients": patients,
        "share": train / 100,
        "target": None,
    }


MANIFESTS: dict[str, dict[str, Any]] = {
    f"data/curated/{CURATED}": {
        "stage": "curated", "name": CURATED, "inputs": {"deid-a": "eeeeeeeeeeee-55555555"}, "code": "8",
        "config": {
            "curation": {"language": "en", "min_prompt_words": 20, "population": {}, "basis": {"x": CANARY}},
            "use_cases": [{"task": "summary", "title": "Specialty summary", "instruction": CANARY}],
            "bases": {"a": "consent of 2024"},
        },
        "facts": {
            "examples": 140, "by_task": {"summary": {"train": 100, "test": 40}}, "documents": 150, "tokens": 9000, "reviewed": 3,
            "patients": {"train": 65, "validation": 4, "test": 21}, "removed": {"resembles-test": 8},
            "balance": {
                "sex": {"female": _group(60, 40), "male": _group(35, 30), CANARY: _group(5, 1)},
                "age band": {"40-64": _group(90, 60), "85+": _group(5, 3), "1-12": _group(5, 2)},
                "note type": {CANARY: _group(100, 70)},
                "site": {CANARY: _group(100, 70)},
            },
        },
    },
    "data/deid-a/eeeeeeeeeeee-55555555": {
        "stage": "deid-a", "name": "eeeeeeeeeeee-55555555", "inputs": {}, "code": "1", "config": {},
        "facts": {"documents": 170, "withheld": 6, "patients": 90, "spans": 3000, "by_type": {CANARY: 1},
                  "policy": {"policy": "shifted", "basis": "45 CFR 164.514(b)(1)", "needs": CANARY}},
    },
    f"models/model/{MODEL}": {
        "stage": "model", "name": MODEL, "inputs": {}, "code": "2", "config": {},
        "facts": {"objective": "answers", "method": "lora", "examples": 103, "examples_too_long": 2, "steps": 133, "seconds": 812.8},
    },
}  # fmt: skip

INFO = VersionInfo(
    name="preceptor", version=2, run_id="r1", digest="f0" * 32, evaluation=EVALUATION, source="file:///none",
    created="2026-11-29T09:22:19+00:00", weights="w", aliases=("candidate",), data=bundle()["data"],
)  # fmt: skip


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Workspace:
    home = Workspace(tmp_path_factory.mktemp("papers-home"))
    for place, manifest in MANIFESTS.items():
        (home.home / place).mkdir(parents=True)
        (home.home / place / "manifest.json").write_text(json.dumps(manifest))
    folder = home.reports / "evaluation" / EVALUATION
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(REPORT))
    return home


@pytest.fixture(scope="session")
def facts(workspace) -> Facts:
    """Without a champion before, and with no statement of people."""
    settings = Settings()
    return Facts(
        ref=INFO.ref, name=INFO.name, digest=INFO.digest, run_id=INFO.run_id, registered_at=INFO.created, status="candidate",
        aliases=INFO.aliases, versions=INFO.data | {"evaluation": EVALUATION}, bundle=gathered._making(bundle()),
        evaluation=gathered._evaluation(workspace, INFO, bundle()), data=gathered._data(workspace, INFO, bundle()),
        base=gathered._base(bundle()), decisions=({"event": 4, "at": INFO.created, "what": "registered", "by": "run:1", "role": "",
        "signed": False, "counts": None},), before=None, production={"traffic": None, "feedback": None, "drift": None}, judged=(),
        plan=gathered._plan(settings), statements=settings.papers, as_of=INFO.created,
    )  # fmt: skip


@pytest.fixture(scope="session")
def stated(facts):
    """The same with statements of people, as `papers` of the settings has them."""
    return lambda **said: replace(facts, statements=Settings(papers=said).papers)
