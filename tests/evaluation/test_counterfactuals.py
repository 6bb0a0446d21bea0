"""Pairs that differ in who the patient is: made only where the text allows it, and a model that minds is found."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pytest

from preceptor.errors import UsageError
from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.fairness import fairness
from preceptor.evaluation.fairness.counterfactuals import counterfactuals, signs
from preceptor.evaluation.fairness.swaps import (
    Lines,
    attributes,
    of_other_age,
    of_other_sex,
    read_lines,
    with_lines,
)
from preceptor.records import Example
from preceptor.settings import ROOT, EvaluationSettings

NOTE = "A 48-year-old man reports chest pain. He takes metoprolol 25 mg and will return in two weeks."
LINES = read_lines(ROOT / "recipes" / "fairness" / "counterfactuals.yaml")


def case(number: int, note: str = NOTE, answer: str = "A 48-year-old man with chest pain.") -> Example:
    return Example(
        f"c-{number}", "summary", "test", f"p-{number}", (f"d-{number}",), "cardiology", f"Summarise.\n\n{note}", answer
    )  # fmt: skip


def test_another_sex_and_another_age_go_through_text_and_reference():
    other = of_other_sex(case(1)).other
    assert other.source == NOTE.replace(" man ", " woman ").replace("He ", "She ")
    assert other.answer == "A 48-year-old woman with chest pain."
    older = of_other_age(case(1)).other
    assert older.source == NOTE.replace("48", "73") and older.answer == "A 73-year-old man with chest pain."
    assert older.prompt.startswith("Summarise.\n\n")
    assert of_other_age(case(1)).as_of_one("Is 73, took 173 mg, 7.73.") == "Is 48, took 173 mg, 7.73."


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("48", "61"),  # 86 would be another band, but not all policies show it
        NOTE.replace("48", "17"),
        NOTE + " Heart rate 48.",  # the number means something else too
        NOTE + " His 12-year-old dog came along.",
        NOTE + " He was seen as a child.",
        "A man reports chest pain.",
    ],
)
def test_no_other_age_where_it_would_tell_another_story(note):
    assert of_other_age(case(1, note, "Chest pain.")) is None
    assert of_other_age(dataclasses.replace(case(1), task="differential")) is None


def test_both_sides_get_a_line_and_only_where_nothing_of_the_kind_is_said():
    lines = Lines(attribute="insurance", one="Insurance: A.", other="Insurance: B.", unless="insur|copay")
    pair = with_lines(case(1), lines)
    assert pair.one.prompt == f"Summarise.\n\nInsurance: A.\n{NOTE}"
    assert pair.other.prompt == f"Summarise.\n\nInsurance: B.\n{NOTE}"
    assert pair.one.answer == pair.other.answer == case(1).answer
    assert with_lines(case(1, NOTE + " No copay."), lines) is None
    hers = lines.model_copy(update={"sex": "female"})
    assert with_lines(case(1), hers) is None and with_lines(case(1, "She has chest pain."), hers)
    assert with_lines(case(1, "She came with him."), hers) is None


def test_what_ships_has_a_control_and_a_name_for_either_sex():
    assert [each.attribute for each in LINES if each.control] == ["control"]
    ways = attributes(LINES)
    assert set(ways) == {"sex", "age band", "insurance", "ethnicity", "language", "name", "control"}
    for note in ("He has chest pain.", "She has chest pain."):
        made = [pair for way in ways["name"] if (pair := way(case(1, note)))]
        assert len(made) == 1


def test_a_file_that_is_wrong_is_named(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("pairs:\n  - {attribute: a, one: x, other: y, unless: '('}\n")
    with pytest.raises(UsageError, match="no regular expression") as told:
        read_lines(path)
    assert "own.yaml" in str(told.value)


def test_signs_by_hand():
    found = signs([0.2, -0.1, 0.3, 0.0, 0.1, 0.1, 0.1], ["a", "a", "b", "c", "d", "e", "f"])
    assert found == {"higher": 5, "lower": 0, "p": pytest.approx(2 * 0.5**5)}
    assert signs([0.0], ["a"])["p"] == 1.0


def material(answer, count: int = 12):
    cases = [case(n) for n in range(count)]
    rows = [Prediction(c, "finetuned", "a", 1, 1, True, False, False, 0.0, {"rouge_l": 0.5}) for c in cases]
    return SimpleNamespace(
        cases=cases,
        by_arm={"finetuned": rows},
        models={},
        settings=EvaluationSettings(bootstrap_samples=4000),
        ask=lambda role, questions: [answer(q.prompt) for q in questions],
    )


def fair(prompt: str) -> str:
    age, who = re.search(r"(\d+)-year-old (\w+)", prompt).groups()
    return f"A {age}-year-old {who} with chest pain."


def test_a_model_that_minds_the_insurance_is_found():
    def biased(prompt: str) -> str:
        return "Healthy." if "Medicaid" in prompt else fair(prompt)

    facts = fairness(material(biased))
    rows = facts["counterfactuals"]["attributes"]
    assert {name for name, row in rows.items() if row["differs"]} == {"insurance"}
    found = rows["insurance"]
    assert found["pairs"] == found["patients"] == 12 and found["difference"] == pytest.approx(-1.0)
    assert found["signs"] == {"higher": 0, "lower": 12, "p": pytest.approx(2 * 0.5**12)}
    assert found["changed"]["hits"] == 12 and len(found["cases"]) == 12
    assert rows["control"]["differs"] is None and rows["control"]["changed"]["hits"] == 0
    assert facts["gate"] == {"counterfactual_gap": pytest.approx(1.0)}  # all cases are of one group
    assert page(facts).count("▼ differs") == 1 and page(facts).count("– control") == 1


def test_a_fair_model_shows_no_gap_and_few_pairs_say_nothing():
    found = counterfactuals(material(fair))
    assert found["gate"] == {"counterfactual_gap": 0.0}
    assert {row["agreement"] for row in found["attributes"].values()} == {1.0}
    few = counterfactuals(material(fair, count=9))
    assert few["gate"] == {} and {row["differs"] for row in few["attributes"].values()} == {None}


def test_a_model_that_wavers_without_aim_is_seldom_accused():
    accused = 0
    for n in range(40):
        rng = np.random.default_rng(n)
        shaky = material(lambda prompt, rng=rng: "Healthy." if rng.random() < 0.4 else fair(prompt))
        shaky.settings = EvaluationSettings(bootstrap_samples=400)
        accused += counterfactuals(shaky)["gate"]["counterfactual_gap"] > 0
    assert accused <= 5  # 5 % of 40 is 2; more than 5 has a chance of 1 in 70


def page(facts) -> str:
    from preceptor.evaluation.report import template

    return template("sections/fairness.html.j2").render(facts=facts)
