"""The asset `candidate_version` in a run of the job: a model that is not better ends there with a note."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import dagster as dg
import pytest

from assets.release import candidate_version
from preceptor.monitoring.retraining_record import open_record
from preceptor.release.registry import CANDIDATE, get_alias, tracking_of
from preceptor.versions import make_version
from resources import WorkspaceResource


def gain(low: float) -> dict:
    return {"difference": 0.1, "low": low, "high": 0.2, "per_task": {"summary": 0.1}}


def evaluated(home, low: float) -> None:
    """A new model with an evaluation in which the lower end of its gain over the champion is `low`."""
    workspace, curated = home.workspace, home.champion.data["curated"]

    def weights(folder):
        (folder / "adapter.bin").write_text(f"trained anew, {low}")
        base = {"base_model": home.settings.base_model, "base_digest": "ab" * 32}
        return {"run_id": None, **base}

    model = make_version(
        workspace.models,
        "model",
        inputs={"curated": curated, "synthetic": "none", "base": "ab" * 32},
        config={"recipe": {"seed": 7}},
        code="1",
        write=weights,
    )
    report = {
        "n_cases": 20,
        "headline": {},
        "comparisons": {"finetuned_vs_base": gain(0.05), "finetuned_vs_champion": gain(low)},
    }

    def write(folder):
        (folder / "report.json").write_text(json.dumps(report))
        return {}

    make_version(
        workspace.reports, "evaluation", inputs={"model": model.name}, config={}, code="1", write=write
    )


@pytest.mark.parametrize(
    ("job", "tags", "low", "candidate"),
    [
        ("retraining", {"preceptor/cause": "drift", "preceptor/why": "length has moved"}, -0.01, False),
        ("retraining", {"preceptor/cause": "drift", "preceptor/why": "length has moved"}, 0.01, True),
        ("retraining", {"preceptor/cause": "erasure", "preceptor/why": "somebody was erased"}, -0.01, True),
        ("pipeline", {}, -0.01, True),
    ],
)
def test_within_the_tolerated_loss_only_a_retraining_refuses(home, job, tags, low, candidate):
    evaluated(home, low)
    defs = dg.Definitions(
        assets=[candidate_version],
        jobs=[dg.define_asset_job(job, selection=[candidate_version])],
        resources={"workspace": WorkspaceResource()},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def(job).execute_in_process(instance=instance, tags=tags)
    (made,) = done.asset_materializations_for_node("candidate_version")
    metadata = {key: value.value for key, value in made.metadata.items()}
    assert (get_alias(tracking_of(home.workspace), "preceptor", CANDIDATE) == 2) == candidate
    if job != "retraining":
        assert "retraining" not in metadata
        return
    assert metadata["retrained because of"] == tags["preceptor/why"]
    assert (
        "waits for approval" if candidate else "ends here: lower end of the gain over the champion"
    ) in metadata["retraining"]
    with open_record(home.workspace.monitoring) as record:
        entry = record.adopt(done.run_id, "preceptor/1", datetime.now(UTC))
        found = record.entry(entry.id)
    assert (found.outcome, found.version) == ("candidate" if candidate else "not-better", "preceptor/2")
    assert found.note == metadata["retraining"]
