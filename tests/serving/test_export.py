"""Bundles answer as the evaluated model did, prove it by their own script, and are whole or not there."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date

import pytest

from preceptor.errors import GateRefused, PreceptorError, UsageError
from preceptor.release.standing import standing
from preceptor.serving.export import bundle as bundles
from preceptor.serving.export.bundle import KINDS, make_bundle
from preceptor.serving.export.policy import require_approved, require_target
from preceptor.serving.versions import served
from preceptor.settings import Agreement, ExportSettings, ExportTarget


@pytest.fixture(scope="module")
def version(home):
    return served(home.tracking, home.store, home.workspace, "preceptor@champion")


def prove(folder, *more):
    done = subprocess.run(
        [sys.executable, str(folder / "prove.py"), *more], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_proved_here(version, tmp_path, kind):
    out = tmp_path / "bundle"
    found = make_bundle(version, kind, out, "# card", gguf_type="f32")
    assert found["proved"] and found["places"] > 40 and found["largest_difference"] < 1e-3
    names = {p.relative_to(out).as_posix() for p in out.rglob("*")}
    assert {"MODEL_CARD.md", "provenance.json", "prove.py", "proof.json", "SHA256SUMS"} <= names
    special = {
        "hf": "model.safetensors",
        "gguf": "model-f32.gguf",
        "vllm-bundle": "serve.sh",
        "ollama-bundle": "Modelfile",
        "sagemaker": "model.tar.gz",
        "azureml": "code/score.py",
    }
    assert special[kind] in names
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("gguf_type", ["f16", "q8_0"])
def test_smaller_ggufs_stay_within_their_tolerance(version, tmp_path, gguf_type):
    found = make_bundle(version, "gguf", tmp_path / "b", "", gguf_type=gguf_type)
    assert 0 < found["largest_difference"] <= found["tolerance"]


def test_the_script_proves_and_finds_a_changed_weight(version, home, tmp_path):
    out = tmp_path / "b"
    make_bundle(version, "hf", out, "", weights="adapter")
    code, said = prove(out, "--base", str(home.base))
    assert (code, said["proved"]) == (0, True)
    with (out / "adapter_model.safetensors").open("r+b") as stream:
        stream.seek(-4, 2)
        stream.write(b"\0\0\0\x42")
    assert prove(out, "--base", str(home.base)) == (
        1,
        {"proved": False, "damaged": ["adapter_model.safetensors"]},
    )


def test_another_model_is_not_proved(version, home, tmp_path):
    """The proof can fail: the base without its adapter answers otherwise."""
    from preceptor.serving.export import prove as script
    from preceptor.serving.export.proof import expectations

    proof = {"tolerance": 0.05, "cases": expectations(version.model)}
    base = script.load(home.base, {"format": "hf", "path": "."}, None)
    assert not script.compare(base, proof)["proved"]


def test_killed_or_refused_leaves_nothing_and_the_next_call_cleans_up(version, tmp_path, monkeypatch):
    def broken(*_):
        raise PreceptorError("no")

    (tmp_path / ".b.0123.part").mkdir()  # what a kill has left
    monkeypatch.setattr(bundles, "_sums", broken)
    with pytest.raises(PreceptorError):
        make_bundle(version, "hf", tmp_path / "b", "")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b").mkdir()
    with pytest.raises(UsageError, match="exists"):
        make_bundle(version, "hf", tmp_path / "b", "")


def test_policy_refuses_what_is_not_open(home):
    amber = ExportTarget(where="cloud", zone="amber", region="us-east-1")
    paper = Agreement(reference="BAA-7", expires=date(2030, 1, 1), hosts=(), regions=("us-east-1",))

    def refused(target, day=date(2026, 1, 1)) -> str:
        settings = ExportSettings(targets={} if target is None else {"sagemaker": target})
        with pytest.raises(GateRefused) as caught:
            require_target("sagemaker", settings, day)
        return str(caught.value)

    assert "target-not-open" in refused(None)
    assert "zone-not-allowed" in refused(ExportTarget(where="cloud"))
    assert "baa-missing" in refused(amber)
    assert "baa-missing" in refused(
        ExportTarget(zone="amber")
    )  # called on premises, it is a cloud all the same
    signed = amber.model_copy(update={"baa": paper})
    assert "baa-expired" in refused(signed, date(2031, 1, 1))
    assert "region-not-covered" in refused(signed.model_copy(update={"region": "eu-west-1"}))
    require_target("sagemaker", ExportSettings(targets={"sagemaker": signed}), date(2026, 1, 1))
    require_target("hf", ExportSettings())
    require_approved(standing(home.store, "preceptor/1"), 1)
    with pytest.raises(GateRefused, match="not-approved"):
        require_approved(standing(home.store, "preceptor/1"), 2)
