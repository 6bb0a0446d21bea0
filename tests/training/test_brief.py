from __future__ import annotations

import pytest

from preceptor.settings import ROOT, SufficiencySettings
from preceptor.training.brief import brief
from preceptor.training.recipe import Recipe, load_recipe


@pytest.mark.parametrize("path", sorted((ROOT / "recipes" / "train").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_can_be_made_brief_and_measures_answers_in_one_process(path):
    small = brief(load_recipe(path), SufficiencySettings(max_steps=3))
    assert (small.objective, small.zero_stage, small.method.name, small.max_steps) == (
        "answers",
        0,
        "lora",
        3,
    )


def test_weights_that_name_rows_which_an_arm_leaves_out_do_not_count():
    weighed = Recipe(sampling={"emphasis": [{"provenance": "synthetic", "weight": 2}]})
    assert not brief(weighed, SufficiencySettings()).sampling.emphasis
