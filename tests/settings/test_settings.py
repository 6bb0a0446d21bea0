from __future__ import annotations

import pytest

from preceptor.errors import UsageError
from preceptor.settings import PROFILES, load_settings


def test_a_later_layer_only_adds_to_the_ones_before(tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("deid: {threshold: 0.5}\n")
    settings = load_settings("demo", config)
    assert settings.deid.threshold == 0.5
    assert settings.deid.mode == "surrogate"


def test_an_unknown_key_is_named_with_file_and_line(tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("deid:\n  threshold: 0.5\n  treshold: 0.4\n")
    with pytest.raises(
        UsageError, match=r"mine.yaml, line 3: deid.treshold: unknown key; is it 'threshold'\?"
    ):
        load_settings("demo", config)


def test_a_wrong_type_is_named_with_file_and_line(tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("curation:\n  test_share: a lot\n")
    with pytest.raises(UsageError, match=r"mine.yaml, line 2: curation.test_share"):
        load_settings("demo", config)


@pytest.mark.parametrize("text", ["a: [", "- just\n- a list\n", "a: 1\n\tb: 2\n"])
def test_a_file_that_is_no_mapping_is_a_usage_error(tmp_path, text):
    config = tmp_path / "mine.yaml"
    config.write_text(text)
    with pytest.raises(UsageError, match="mine.yaml"):
        load_settings("demo", config)


@pytest.mark.parametrize("profile", [p.stem for p in PROFILES.glob("*.yaml")])
def test_every_shipped_profile_loads(profile):
    assert load_settings(profile).profile == profile


def test_a_profile_that_is_not_there_names_those_that_are():
    with pytest.raises(UsageError, match="demo"):
        load_settings("no-such-profile")
