from __future__ import annotations

import pytest

from preceptor.near_keys import near_key
from preceptor.settings import ProviderSettings, Settings


@pytest.mark.parametrize(
    ("path", "near"),
    [
        (["traning"], "training"),
        (["curation", "task"], "tasks"),
        (["training", "kubernetes", "clam"], "claim"),  # a section that may be left out
        (["zzz"], None),
        (["providers", "ours", "modle"], None),  # under a name of the user's
        (["nothing", "model"], None),
        ([], None),
    ],
)
def test_the_key_that_was_meant(path, near):
    assert near_key(Settings, path) == near


def test_of_a_mapping_of_names_none_is_known():
    assert near_key(dict[str, ProviderSettings], ["ours", "modle"]) is None
