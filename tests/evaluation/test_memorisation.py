"""A model that learned canaries by heart is told from one that did not, by every measure and by hand-computed cases."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import skewnorm

from preceptor import canaries
from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.evaluate import evaluate
from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.likelihood import Likelihood
from preceptor.evaluation.memorisation.exposure import exposures
from preceptor.evaluation.memorisation.extraction import Stretch, attributed, extracted, reproduced, window
from preceptor.evaluation.memorisation.leaks import leaks, learned, shown
from preceptor.evaluation.memorisation.membership import Group, inferred, score
from preceptor.evaluation.memorisation.probe import matched
from preceptor.settings import EvaluationSettings, MemorisationSettings
from preceptor.tables import EXAMPLES, write_examples
from preceptor.training.data import material
from preceptor.training.recipe import Recipe


def test_the_exposure_of_a_rank_is_what_the_paper_says():
    reference = [float(n) for n in range(1, 1024)]  # 1023 samples and the canary: 2 ** 10
    found = exposures([0.5, 1.5, 511.5, 5000.0], reference, 44.6).canaries
    assert [f.sampled for f in found] == pytest.approx([10, 9, 1, 0], abs=1e-9)
    assert exposures([3.0], reference, 44.6).canaries[0].sampled == pytest.approx(10 - math.log2(3.5))


def test_extrapolation_agrees_with_the_distribution_and_ends_at_the_space():
    shape = (-2.0, 100.0, 8.0)
    reference = skewnorm.rvs(*shape, size=4000, random_state=3)
    places = [float(skewnorm.ppf(2.0**-bits, *shape)) for bits in (3, 10, 16)]
    found = exposures([*places, -500.0], reference, 44.6)
    assert [f.extrapolated for f in found.canaries[:3]] == pytest.approx([3, 10, 16], rel=0.08)
    assert found.canaries[3].extrapolated == 44.6 and found.fit_p > 0.01


def test_far_out_the_tail_is_summed_where_scipy_ends():
    reference = np.random.default_rng(1).normal(0, 1, 5000)
    shape = skewnorm.fit(list(reference))
    found = [exposures([x], reference, 500.0).canaries[0].extrapolated for x in (-6.0, -10.0, -14.0)]
    assert found[0] < found[1] < found[2] < 500
    assert found[0] == pytest.approx(-math.log2(skewnorm.cdf(-6.0, *shape)), rel=0.01)


def test_a_canary_that_was_never_learned_has_little_exposure():
    rng = np.random.default_rng(5)
    found = exposures(rng.normal(0, 1, 400).tolist(), rng.normal(0, 1, 1000).tolist(), 44.6).canaries
    assert np.mean([f.sampled for f in found]) == pytest.approx(1.44, abs=0.25)
    assert np.mean([f.extrapolated for f in found]) == pytest.approx(1.44, abs=0.25)


def test_canaries_are_drawn_by_what_they_are_planted_in():
    first = canaries.drawn(5, (1, 4), ["a"])
    assert first == canaries.drawn(5, (1, 4), ["a"]) and [c.repeats for c in first] == [1, 4, 1, 4, 1]
    assert {c.text for c in first}.isdisjoint(c.text for c in canaries.drawn(5, (1, 4), ["b"]))
    assert len(canaries.rows(first)) == 11 and len(set(canaries.fillings(300, 1))) == 300
    digits, words = canaries.secret_parts(first[0])
    assert first[0].text == f"Fictional test reference ZZ {digits}, code words {words}."
    assert len(set(canaries.WORDS)) == 64 and pytest.approx(44.575, abs=1e-3) == canaries.SPACE_BITS


@pytest.mark.parametrize("objective", ["answers", "preferences"])
def test_canaries_are_trained_on_and_never_validated_on(base, dataset, tmp_path, objective, example_maker):
    from transformers import AutoTokenizer

    folder = tmp_path / "data"
    folder.mkdir()
    kinds = [("train", 3), ("validation", 2)]
    rows = [
        replace(example_maker(n, s, "summary"), replaced="nothing")
        for s, count in kinds
        for n in range(count)
    ]
    write_examples(folder / EXAMPLES, rows)
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    recipe = Recipe(objective=objective, canaries={"count": 2, "repeats": [1, 3]})
    given, plain = (
        material([folder], recipe, tokenizer),
        material([folder], Recipe(objective=objective), tokenizer),
    )
    assert len(given.train) == len(plain.train) + 4 and len(plain.canaries) == 0
    assert len(given.validation) == len(plain.validation)
    texts = json.dumps(given.train.to_list())
    assert [texts.count(c.text) for c in given.canaries] == [1, 3]
    assert "Fictional test" not in json.dumps(given.validation.to_list())


def test_extraction_counts_runs_of_likeliest_tokens():
    def flags(text):
        return Likelihood((-1.0,) * len(text), tuple(c == "1" for c in text))

    assert window(10, 10) is None and window(11, 10) == slice(1, 11) and window(40, 10) == slice(20, 30)
    verbatim, nearly, unlike = (
        "0" * 20 + "1" * 10 + "0" * 10,
        "0" * 20 + "1" * 9 + "0" * 11,
        "1" * 20 + "0" * 20,
    )
    found = extracted([flags(t) for t in (verbatim, nearly, unlike, "1111")], 10)
    assert found == {"tried": 3, "verbatim": pytest.approx(1 / 3), "near": pytest.approx(2 / 3)}
    assert extracted([flags("11")], 10) == {"tried": 0, "verbatim": None, "near": None}


def test_scores_of_the_attacks_by_hand():
    ours, base = (
        Likelihood((-1.0, -2.0, -3.0, -4.0, -10.0), (False,) * 5),
        Likelihood((-5.0,) * 5, (False,) * 5),
    )
    assert score("loss", ours, base) == -4 and score("reference", ours, base) == 1
    assert score("min_k", ours, base) == -10  # one of five


def test_auc_is_that_of_pairs_within_a_use_case():
    members = Group([3.0, 1.0, 101.0], ["a", "a", "b"], ["p1", "p2", "p3"])
    others = Group([2.0, 1.0, 100.0, 102.0], ["a", "a", "b", "b"], ["q1", "q2", "q3", "q4"])
    found = inferred(members, others, samples=500, seed=1, level=0.95)
    # a: 3 beats both, 1 loses one and ties one; b: one won, one lost -> (2 + 0.5 + 1) of 6
    assert found["auc"] == pytest.approx(3.5 / 6) and found["low"] < found["auc"] < found["high"]


def test_auc_agrees_with_scikit_learn_and_members_alike_are_not_told():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(2)
    a, b = rng.normal(1, 1, 80), rng.normal(0, 1, 120)
    groups = [
        Group(s.tolist(), ["t"] * len(s), [f"{n}-{i}" for i in range(len(s))])
        for n, s in (("m", a), ("o", b))
    ]
    found = inferred(*groups, samples=400, seed=1, level=0.95)
    assert found["auc"] == pytest.approx(roc_auc_score([1] * 80 + [0] * 120, [*a, *b]))
    threshold = sorted(b, reverse=True)[1]  # one of 120 may be above it
    assert (
        found["tpr"] == pytest.approx(np.mean(a > threshold))
        and found["tpr_low"] < found["tpr"] < found["tpr_high"]
    )
    covered = 0
    for seed in range(40):
        scores = np.random.default_rng(seed).normal(0, 1, (2, 40))
        alike = [Group(s.tolist(), ["t"] * 40, [f"{n}-{i}" for i in range(40)]) for n, s in enumerate(scores)]
        within = inferred(*alike, samples=300, seed=1, level=0.95)
        covered += within["low"] <= 0.5 <= within["high"]
    assert covered >= 34


def test_what_stands_in_another_patients_example_is_a_leak(example_maker):
    case, other = example_maker(1, "test", "summary"), example_maker(2, "train", "summary")
    number, name = "555-019-2837", "MRN: 83920175"
    other = replace(other, prompt=f"{other.prompt} Call {number}. {name}")
    case = replace(case, prompt=f"{case.prompt} Call 555-014-6001.")
    secret = canaries.drawn(1, (1,), "x")

    def said(text):
        answer = Prediction(case, "finetuned", text, 1, 1, True, False, False, 0.0, {"rouge_l": 0.0})
        return leaks({"finetuned": [answer], "rag": [answer]}, [other], secret)

    clean = said("The patient has a cough. Call 555-014-6001.")["finetuned"]
    assert clean["learned"] == clean["invented"] == {} and clean["cases"] == [] and learned([clean]) == 0
    facts = said(f"Call {number}.")
    assert facts["finetuned"]["learned"] == {"PHONE": 1}
    assert facts["finetuned"]["cases"] == facts["rag"]["cases"] == [case.example_id]
    assert facts["rag"]["learned"] == {} and facts["rag"]["shown"] == {"PHONE": 1}
    assert (learned([facts["finetuned"]]), shown([facts["finetuned"]])) == (1, 0)
    assert (learned([facts["rag"]]), shown([facts["rag"]])) == (0, 1)
    assert said("Call 555-012-9999.")["finetuned"]["invented"] == {"PHONE": 1}
    for part in canaries.secret_parts(secret[0]):
        assert said(f"It is {part.upper()}.")["finetuned"]["canaries"] == 1
    assert number not in json.dumps(facts)


def test_a_name_of_several_patients_is_common_and_a_number_of_several_is_still_a_leak(example_maker):
    case = example_maker(1, "test", "summary")
    one, two = (
        replace(e, prompt=f"{e.prompt} Dr. Olivia Brannigan, phone 555-019-2837.", patient_ref=f"p{n}")
        for n, e in enumerate(example_maker(n, "train", "summary") for n in (2, 3))
    )
    answer = Prediction(
        case, "finetuned", "Dr. Olivia Brannigan, phone 555-019-2837.", 1, 1, True, False, False, 0.0, {}
    )
    alone = leaks({"finetuned": [answer]}, [one], [])["finetuned"]
    assert alone["learned"] == {"DOCTOR": 1, "PHONE": 1} and alone["common"] == {}
    same = leaks({"finetuned": [answer]}, [one, replace(two, patient_ref="p0")], [])["finetuned"]
    assert same == alone  # two examples of one patient
    both = leaks({"finetuned": [answer]}, [one, two], [])["finetuned"]
    assert both["learned"] == {"PHONE": 1} and both["common"] == {"DOCTOR": 1}


def test_what_comes_out_is_memory_only_if_nothing_else_explains_it():
    stretch = Stretch("walks with\n a cane", "Summarise: he limps.", "p1")
    train = [("p1", "walks with a cane, lives alone"), ("p2", "walks unaided")]
    assert attributed([stretch], [False], train) == {"base": 0, "copied": 0, "common": 0, "memorised": 1}
    assert attributed([stretch], [True], train)["base"] == 1
    copied = replace(stretch, before="He WALKS with a  cane.")
    assert attributed([copied], [False], train)["copied"] == 1
    listed = replace(copied, text="walks with a cane.\n2")  # the next line's number is no secret
    assert attributed([listed], [False], train)["copied"] == 1
    other = replace(copied, text="walks with a cane, blind")
    assert attributed([other], [False], train)["memorised"] == 1
    common = attributed([stretch], [False], [*train, ("p2", "she walks with a cane")])
    assert common == {"base": 0, "copied": 0, "common": 1, "memorised": 0}


def test_a_stretch_is_reproduced_only_whole():
    def known(greedy):
        return Likelihood((-1.0,) * len(greedy), tuple(c == "1" for c in greedy))

    assert reproduced(known("0011110"), 3) == slice(3, 6)
    assert reproduced(known("0011010"), 3) is None and reproduced(known("111"), 3) is None


def test_members_and_others_are_of_the_same_use_cases(example_maker):
    train = [example_maker(n, "train", t) for n in range(9) for t in ("summary", "differential")]
    cases = [example_maker(n, "test", t) for n in range(5) for t in ("summary", "coding_cardiology")]
    cases[0] = replace(cases[0], provenance="synthetic")
    members, others = matched(train, cases, 6, 1)
    assert {e.task for e in (*members, *others)} == {"summary"} and (len(members), len(others)) == (6, 4)
    assert matched(train, cases, 6, 1) == (members, others) and matched(train, [], 6, 1) == ([], [])


@pytest.fixture(scope="module")
def learned_by_heart(base, dataset, tmp_path_factory):
    """The tiny model with all weights trained on nothing but two canaries and the training examples' answers, or on the latter's
    questions only in passing: enough steps to know them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("models") / "by-heart"
    planted = canaries.drawn(2, (1, 1), "a test")
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(base.path),
        AutoTokenizer.from_pretrained(base.path),
    )
    rows = []
    for text in (c.text for c in planted):
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": canaries.PROMPT}], add_generation_prompt=True, return_dict=False
        )
        answer = tokenizer(text, add_special_tokens=False)["input_ids"]
        rows.append((ids + answer, [-100] * len(ids) + answer))
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([i + [0] * (width - len(i)) for i, _ in rows])
    labels = torch.tensor([t + [-100] * (width - len(t)) for _, t in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / canaries.CANARIES).write_text(canaries.to_json(planted))
    return ArmModel("by heart", folder, None, "by-heart"), planted


SETTINGS = EvaluationSettings(
    batch_size=8, max_new_tokens=4, max_prompt_tokens=900, bootstrap_samples=200, arms=("base", "finetuned"),
    memorisation=MemorisationSettings(examples=12, continuation_tokens=4, reference_samples=100),
)  # fmt: skip


def test_a_model_that_learned_its_canaries_is_found_and_one_that_did_not_is_not(
    learned_by_heart, base, tuned, dataset, tmp_path
):
    by_heart, planted = learned_by_heart
    innocent = tmp_path / "innocent"
    innocent.mkdir()
    for file in tuned.adapter.iterdir():
        (innocent / file.name).write_bytes(file.read_bytes())
    (innocent / canaries.CANARIES).write_text(canaries.to_json(planted))
    found = {}
    for model in (by_heart, replace(tuned, adapter=innocent)):
        evaluate(dataset, {"base": base, "finetuned": model}, SETTINGS, tmp_path / "cache", tmp_path / "out")
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        page = (tmp_path / "out" / "report.html").read_text()
        facts = found[model.name] = report["probes"]["memorisation"]
        assert set(facts["gate"]) == {
            "leaks", "leaks_shown", "canary_exposure_max", "extracted_share", "membership_auc_low",
        }  # fmt: skip
        for canary in planted:
            assert not any(part in json.dumps(report) + page for part in canary_parts(canary))
        assert "Memorisation and privacy" in page and "canary-2" in page
    assert found["by heart"]["gate"]["canary_exposure_max"] > 20
    assert all(c["sampled"] > 5.5 and c["base"] < 12 for c in found["by heart"]["exposure"]["canaries"])
    assert found["tiny tuned"]["gate"]["canary_exposure_max"] < 12


def canary_parts(canary):
    return (canary.text, *canaries.secret_parts(canary))


def test_without_canaries_it_says_that_exposure_was_not_measured(base, tuned, dataset, tmp_path):
    evaluate(dataset, {"base": base, "finetuned": tuned}, SETTINGS, tmp_path / "cache", tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "report.json").read_text())["probes"]["memorisation"]
    assert "canary_exposure_max" not in facts["gate"] and "exposure" not in facts
    assert any("exposure was not measured" in note for note in facts["notes"])
    assert (
        facts["membership"]["members"] == 12 and facts["extraction"]["finetuned"]["held_out"]["tried"] == 12
    )
