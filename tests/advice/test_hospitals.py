"""Three hospitals: one GPU in the house, the cloud under a BAA, and no GPU at all. docs/choosing.md tells of the same three."""

from __future__ import annotations

from dataclasses import replace

import pytest

from preceptor.advice.checks import refused
from preceptor.advice.needs import Needs
from preceptor.advice.recommend import evidence, recommend
from preceptor.advice.running import Workload
from preceptor.models import Score, load_apis, load_catalogue, load_licences
from preceptor.planning import load_prices

CATALOGUE, LICENCES, APIS, PRICES = load_catalogue(), load_licences(), load_apis(), load_prices()

ONE_GPU = Needs(
    "on-premises", Workload(10_000, 1500, 300), gpu="l4", gpus=1, examples=800, exam_like=True, latency=60
)
CLOUD = Needs("cloud-baa", Workload(20_000, 1500, 300), examples=2000, budget=2800, latency=30)
NO_GPU = Needs("on-premises", Workload(1000, 1500, 200, at_once=1), examples=300, latency=120)


def asked(needs, **changes):
    return recommend(CATALOGUE, LICENCES, APIS, PRICES, replace(needs, **changes))


def names(found):
    return [one.name for one in found]


def reasons(found, name):
    (one,) = (one for one in found.out if one.name == name)
    return {check.rule: check for check in refused(one.checks)}


@pytest.fixture(scope="module")
def one_gpu():
    return asked(ONE_GPU)


@pytest.fixture(scope="module")
def cloud():
    return asked(CLOUD)


@pytest.fixture(scope="module")
def no_gpu():
    return asked(NO_GPU)


def test_one_gpu_in_the_house_tunes_and_serves_a_small_medical_model(one_gpu):
    assert one_gpu.ranked[0].name == "medgemma-4b-it"
    (close,) = (said for said in one_gpu.changes if said.startswith("Within 5 points"))
    assert "llama-3.1-8b-instruct" in close and "preceptor evaluate" in close
    assert all(one.kind == "weights" and one.place == "1 x l4" for one in one_gpu.ranked)


def test_what_leaves_the_house_is_out_and_what_would_let_it_in_is_said(one_gpu):
    for service in APIS.models:
        assert reasons(one_gpu, service)["deployment"].change == "--deployment cloud-baa or hybrid"


def test_a_model_that_is_too_large_says_which_gpus_would_do(one_gpu):
    out = reasons(one_gpu, "llama-3.3-70b-instruct")
    assert "tuning" in out or "serving" in out
    assert all(" x " in check.change for check in out.values())


def test_the_cloud_hires_the_best_that_the_money_pays(cloud):
    first = cloud.ranked[0]
    assert first.name == "medgemma-27b-text-it" and first.month < 2800 and first.seconds < 30


def test_the_cloud_lets_services_in_but_knows_no_score_of_them(cloud):
    (service,) = (one for one in cloud.ranked if one.name == "gpt-4.1")
    assert service.month == pytest.approx(20_000 * (1500 * 2 + 300 * 8) / 1e6)  # 108 dollars
    assert service.points["evidence"] is None
    assert any("cannot be fine-tuned" in caution for caution in service.cautions)


def test_the_cloud_is_hired_from_those_who_sign_a_baa_only(cloud):
    hired = [one.place for one in cloud.ranked if one.kind == "weights"]
    assert hired and not any("lambda" in place or "runpod" in place for place in hired)


def test_seventy_billion_weights_are_more_than_the_money(cloud):
    check = reasons(cloud, "llama-3.1-70b-instruct")["budget"]
    assert "$2,800 are there" in check.said
    richer = asked(CLOUD, budget=20_000)
    assert "llama-3.1-70b-instruct" in names(richer.ranked)


def test_without_a_gpu_only_what_a_week_of_a_cpu_tunes_is_in(no_gpu):
    sizes = [CATALOGUE[one.name].parameters for one in no_gpu.ranked]
    assert no_gpu.ranked[0].name == "medgemma-4b-it"
    assert "qwen3-0.6b" in names(no_gpu.ranked) and max(sizes) < 8e9
    assert "medgemma-27b-text-it" not in names(no_gpu.ranked)
    assert any("is assumed to have 32 GiB" in said for said in no_gpu.changes)


def test_the_better_model_that_is_out_is_told_with_what_lets_it_in(no_gpu):
    (said,) = (one for one in no_gpu.changes if one.startswith("medgemma-27b-text-it would be in"))
    assert " x " in said


def test_a_hybrid_hospital_uses_its_gpu_and_hires_what_does_not_fit_there():
    found = asked(ONE_GPU, deployment="hybrid")
    places = {one.name: one.place for one in found.ranked}
    assert places["medgemma-4b-it"] == "1 x l4"
    assert places["llama-3.3-70b-instruct"] not in ("", "1 x l4")
    assert "gpt-4o" in places


def test_a_licence_without_commercial_use_is_out_unless_any_will_do(one_gpu):
    assert "licence" in reasons(one_gpu, "qwen2.5-3b-instruct")
    assert "qwen2.5-3b-instruct" in names(asked(ONE_GPU, licence="any").ranked)
    strict = asked(ONE_GPU, licence="open")
    assert {CATALOGUE[name].licence for name in names(strict.ranked)} <= {"Apache-2.0", "MIT"}


def test_a_licence_that_nobody_read_is_out():
    unread = {"mine": CATALOGUE["qwen2.5-7b-instruct"].model_copy(update={"licence": "Ours"})}
    found = recommend(unread, LICENCES, APIS, PRICES, ONE_GPU)
    assert "recipes/licences.yaml" in reasons(found, "mine")["licence"].change


def test_a_language_that_the_makers_do_not_name_keeps_out_or_is_told_as_unknown():
    found = asked(ONE_GPU, languages=("de", "en"))
    assert "languages" in reasons(found, "phi-4")
    assert "llama-3.1-8b-instruct" in names(found.ranked)
    (unsure,) = (one for one in found.ranked if one.name == "medgemma-4b-it")
    assert any(check.rule == "languages" and check.passed is None for check in unsure.checks)


def test_a_prompt_longer_than_the_context_keeps_out(one_gpu):
    assert reasons(asked(ONE_GPU, load=Workload(100, 9000, 300)), "gemma-2-2b-it")["context"].change == (
        "prompts of 7,892 tokens"
    )


def test_with_too_few_examples_tuning_is_not_asked_for():
    found = asked(NO_GPU, examples=2)
    said = [check.said for one in found.ranked for check in one.checks if check.rule == "tuning"]
    assert said and all("too few to tune with" in text for text in said)
    assert len(found.ranked) >= len(asked(NO_GPU).ranked)


def test_exams_count_for_more_where_the_task_is_like_one():
    like, unlike = asked(ONE_GPU), asked(ONE_GPU, exam_like=False)
    points = [
        next(one.points["evidence"] for one in found.ranked if one.name == "medgemma-4b-it")
        for found in (like, unlike)
    ]
    assert points[0] == pytest.approx(1.5 * points[1], abs=0.1)


def test_what_is_out_stays_out_whatever_its_points(one_gpu):
    assert not set(names(one_gpu.ranked)) & set(names(one_gpu.out))
    assert len(one_gpu.ranked) + len(one_gpu.out) == len(CATALOGUE) + len(APIS.models)
    assert [one.score for one in one_gpu.ranked] == sorted(
        (one.score for one in one_gpu.ranked), reverse=True
    )


def scored(benchmark, value, tuned=False):
    return Score(benchmark=benchmark, value=value, tuned=tuned, source="x", as_of="2026-01-01")


def test_evidence_is_the_way_from_guessing_to_all_correct():
    assert evidence([scored("MedQA", 25)]) == 0
    assert evidence([scored("MedQA", 62.5)]) == pytest.approx(0.5)
    assert evidence([scored("MedQA", 100), scored("PubMedQA", 55.2)]) == pytest.approx(0.5)
    assert evidence([scored("PubMedQA", 30)]) == 0


def test_tuning_on_a_benchmark_and_other_benchmarks_are_no_evidence():
    assert evidence([scored("MedQA", 90, tuned=True), scored("HealthBench", 50)]) is None
