"""The store around assets: what Dagster runs sends and fetches by itself."""

import dagster as dg
import pytest
import yaml

from assets._shared import kept, quiet
from preceptor.storage.home import objects_of, rows
from preceptor.versions import latest, make_version
from resources import WorkspaceResource
from tests.storage.conftest import another


def made_again(folder):
    raise AssertionError("work was done again")


@pytest.fixture
def resource(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"storage": {"url": f"file://{tmp_path}/store"}}))
    return lambda workspace: WorkspaceResource(home=str(workspace.home), config=str(config))


def test_a_stage_sends_what_is_finished_and_in_another_home_fetches_it(house, resource, tmp_path):
    @dg.asset
    @quiet
    @kept("data", "models", "reports")
    def stage(context: dg.AssetExecutionContext, workspace: WorkspaceResource) -> dg.MaterializeResult:
        what = {
            "inputs": {"curated": latest(workspace.workspace().data, "curated").name},
            "config": {},
            "code": "1",
        }
        write = made_again if workspace.workspace().home.name == "other" else lambda folder: {"rows": 1}
        return dg.MaterializeResult(
            metadata={
                "version": make_version(workspace.workspace().data, "sufficiency", **what, write=write).name
            }
        )

    assert dg.materialize([stage], resources={"workspace": resource(house.workspace)}).success
    other = another(house, tmp_path / "other")
    found = dg.materialize([stage], resources={"workspace": resource(other)}, raise_on_error=False)
    assert found.success
    assert latest(other.data, "sufficiency").name == latest(house.workspace.data, "sufficiency").name
    objects = objects_of(other, resource(other).settings())
    assert len(rows(other, objects)) == 5 and all(row.home and row.store for row in rows(other, objects))


def test_every_asset_that_makes_or_reads_versions_is_kept_and_the_tagger_is_not():
    from pipelines.definitions import defs

    def is_kept(asset) -> bool:
        function = asset.op.compute_fn.decorated_fn
        while function is not None:
            if function.__code__.co_qualname.startswith("kept."):
                return True
            function = getattr(function, "__wrapped__", None)
        return False

    assets = {
        a.key.to_user_string(): is_kept(a) for a in defs.assets or () if isinstance(a, dg.AssetsDefinition)
    }
    assert {name for name, wrapped in assets.items() if wrapped} == {
        "deidentified_documents", "curated_examples", "data_sufficiency", "synthetic_examples", "fine_tuned_model",
        "recipe_search", "evaluation_report", "candidate_version", "drift_report",
    }  # fmt: skip
    assert not assets["phi_tagger"] and not assets["raw_documents"]
