from __future__ import annotations

import pytest

from preceptor.errors import UsageError
from preceptor.release import lineage
from preceptor.versions import make_version as make_data_version


def table(path, **columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)


@pytest.fixture
def roots(tmp_path):
    return (tmp_path / "data", tmp_path / "training", tmp_path / "reports")


@pytest.fixture
def data(roots):
    """deidentified (d1 d2 d3) -> curated (d1 d2) -> synthetic -> trained; another curated from d3 alone."""

    def make(root, stage, inputs, **columns):
        def write(folder):
            table(folder / "rows.parquet", **columns)
            return {}

        return make_data_version(root, stage, inputs=inputs, config={}, code="1", write=write).name

    root = roots[0]
    deidentified = make(root, "deidentified", {"batch": "b1"}, document_ref=["d1", "d2", "d3"])
    curated = make(
        root,
        "curated",
        {"deidentified": deidentified},
        document_refs=[["d1"], ["d1", "d2"]],
        prompt=["x", "y"],
    )
    synthetic = make(root, "synthetic", {"curated": curated, "generator": "tiny"}, prompt=["z"])
    trained = make(roots[1], "trained", {"sets": curated, "synthetic": synthetic}, step=[1])
    other = make(root, "curated", {"deidentified": "gone"}, document_refs=[["d3"]])
    return {
        "deidentified": deidentified,
        "curated": curated,
        "synthetic": synthetic,
        "trained": trained,
        "other": other,
    }


def test_a_model_leads_back_to_every_data_version_and_document(make_version, tracking, roots, data):
    info = make_version("a", data={"trained": data["trained"]})
    found = lineage.backward(tracking, roots, info.ref)
    assert {node["version"] for node in found["data"]} == set(data.values()) - {data["other"]}
    assert found["documents"] == ["d1", "d2"]  # d3 was de-identified, but not chosen
    assert {node["stage"]: node["documents"] for node in found["data"]} == {
        "trained": 2,
        "synthetic": 2,  # its rows name no documents, so those it was made from count
        "curated": 2,
        "deidentified": 3,
    }
    assert found["missing"] == [] and found["digest"] == info.digest


def test_a_document_leads_forward_to_exactly_the_models_it_reached(make_version, tracking, roots, data, name):
    first = make_version("a", data={"trained": data["trained"]})
    second = make_version("b", data={"curated": data["other"]})

    def reached(document):  # the registry holds other tests' models too
        return [
            ref
            for ref in lineage.forward(tracking, roots, [document])["models"]
            if ref.startswith(f"{name}/")
        ]

    assert reached("d1") == [first.ref]
    assert reached("d3") == [second.ref]
    assert data["trained"] in {node["version"] for node in lineage.forward(tracking, roots, ["d1"])["data"]}


def test_a_version_whose_folder_is_gone_is_named(make_version, tracking, roots):
    info = make_version("a", data={"curated": "dddddddddddd-00000000"})
    assert lineage.backward(tracking, roots, info.ref)["missing"] == ["dddddddddddd-00000000"]


def test_an_unknown_document_is_wrong_usage(tracking, roots, data):
    with pytest.raises(UsageError, match="No data set version"):
        lineage.forward(tracking, roots, ["d9"])
