"""Benchmarks by name: data, likelihoods, agreement with lm-evaluation-harness, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from preceptor.cli import main
from preceptor.errors import UsageError
from preceptor.evaluation.benchmarks.catalogue import chosen, load_benchmarks
from preceptor.evaluation.benchmarks.data import load_items
from preceptor.evaluation.benchmarks.items import items_of
from preceptor.evaluation.benchmarks.likelihood import Ranked, rank_all

ANSWERS = ("yes", "no", "maybe")
ROWS = [
    {
        "id": f"q{n}",
        "question": f"Does drug {n} help?",
        "contexts": [f"Of {10 + n} patients {'many ' * n}improved.", "It was small."],
        "answer": ANSWERS[n % 3],
    }
    for n in range(9)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "pubmedqa").mkdir()
    (folder / "pubmedqa" / "test-dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "mts-dialog").mkdir()
    (folder / "mts-dialog" / "test1.jsonl").write_text(
        json.dumps({"id": "m", "section": "CC", "dialogue": "Doctor: Hello.", "section_text": "Cough."})
        + "\n"
    )
    return folder


@pytest.fixture(scope="module")
def items(folder):
    return load_items("pubmedqa", load_benchmarks()["pubmedqa"], folder)


def ranked(model, items, kept=None):
    return rank_all(model, [item.prompt for item in items], ANSWERS, dtype="float32", kept=kept)


def test_the_prompt_and_the_right_answer(items):
    assert (
        items[1].prompt
        == "Abstract: Of 11 patients many improved.\nIt was small.\nQuestion: Does drug 1 help?\nAnswer:"
    )
    assert [item.gold for item in items[:3]] == [0, 1, 2]


def test_likelihoods_are_those_of_one_sequence_at_a_time(base, items):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    for item, found in zip(items[:3], ranked(base, items), strict=False):
        for choice, got in zip(ANSWERS, found.logprobs, strict=True):
            before, whole = tokenizer.encode(item.prompt), tokenizer.encode(f"{item.prompt} {choice}")
            with torch.inference_mode():
                logprobs = model(torch.tensor([whole])).logits[0].log_softmax(-1)
            expected = sum(float(logprobs[i - 1, whole[i]]) for i in range(len(before), len(whole)))
            assert got == pytest.approx(expected, abs=1e-3)


def test_what_was_computed_is_not_computed_again(base, items, tmp_path, monkeypatch):
    first = ranked(base, items[:5], tmp_path)
    monkeypatch.setattr("preceptor.evaluation.likelihood.load_model", lambda *_: pytest.fail("loaded again"))
    assert ranked(base, items[:5], tmp_path) == first


def test_a_run_that_was_killed_keeps_what_it_had(base, items, tmp_path, monkeypatch):
    from preceptor.evaluation import likelihood

    monkeypatch.setattr(likelihood, "_SHARD", 9)
    whole, read = likelihood.log_likelihoods, []

    def dying(loaded, asked, *more):
        for found in whole(loaded, asked, *more):
            if len(read) == 20:
                raise KeyboardInterrupt
            read.append(found)
            yield found

    monkeypatch.setattr(likelihood, "log_likelihoods", dying)
    with pytest.raises(KeyboardInterrupt):
        ranked(base, items, tmp_path)
    left = []
    monkeypatch.setattr(
        likelihood, "log_likelihoods", lambda m, asked, *more: left.extend(asked) or whole(m, asked, *more)
    )
    resumed = ranked(base, items, tmp_path)
    assert len(left) == 3 * len(items) - 18  # two shards of nine were whole
    monkeypatch.setattr(likelihood, "log_likelihoods", whole)
    assert [r.best() for r in resumed] == [r.best() for r in ranked(base, items)]


def test_what_is_too_long_loses_its_beginning(base, items, monkeypatch):
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(base.path)
    config.max_position_embeddings = 40
    monkeypatch.setattr(AutoConfig, "from_pretrained", lambda *_, **__: config)
    asked = []
    monkeypatch.setattr(
        "preceptor.evaluation.benchmarks.likelihood.likelihoods",
        lambda model, found, *_: asked.extend(found) or [SimpleNamespace(total=-1.0)] * len(found),
    )
    assert all(r.cut for r in ranked(base, items[:1]))
    assert {len(i.context) + len(i.target) for i in asked} == {41}  # the last token is not read


def test_normalised_by_characters():
    found = Ranked((-3.0, -2.5, -4.5), cut=False)
    assert found.best() == 1  # per character: -1, -1.25, -0.9
    assert found.best_normalised(ANSWERS) == 2


def test_accuracy_is_that_of_lm_evaluation_harness(base, items):
    """The harness's own model class and task on the same data."""
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks.pubmedqa.preprocess_pubmedqa import doc_to_text

    docs = [
        {"CONTEXTS": r["contexts"], "QUESTION": r["question"], "final_decision": r["answer"]} for r in ROWS
    ]
    assert [doc_to_text(doc) for doc in docs] == [item.prompt for item in items]
    import datasets

    task = ConfigurableTask(
        config={
            "task": "pubmedqa",
            "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(docs)},
            "output_type": "multiple_choice",
            "test_split": "test",
            "doc_to_text": doc_to_text,
            "doc_to_target": "final_decision",
            "doc_to_choice": list(ANSWERS),
            "metric_list": [
                {"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("acc", "acc_norm")
            ],
        }
    )
    model = HFLM(pretrained=str(base.path), dtype="float32", device="cpu", batch_size=2)
    theirs = lm_eval.evaluate(model, {"pubmedqa": task}, bootstrap_iters=0)
    ours = ranked(base, items)
    right = sum(r.best() == i.gold for r, i in zip(ours, items, strict=True)) / len(items)
    normalised = sum(r.best_normalised(ANSWERS) == i.gold for r, i in zip(ours, items, strict=True)) / len(
        items
    )
    assert right == pytest.approx(theirs["results"]["pubmedqa"]["acc,none"], abs=1e-6)
    assert normalised == pytest.approx(theirs["results"]["pubmedqa"]["acc_norm,none"], abs=1e-6)
    for sample, mine in zip(
        sorted(theirs["samples"]["pubmedqa"], key=lambda s: s["doc_id"]), ours, strict=True
    ):
        assert [r[0] for r in sample["filtered_resps"]] == pytest.approx(list(mine.logprobs), abs=1e-3)


def test_prompts_are_those_of_the_harness(tmp_path):
    lm_eval = pytest.importorskip("lm_eval")
    import jinja2
    import yaml
    from lm_eval.tasks.medmcqa.utils_medmcqa import doc_to_text as medmcqa
    from lm_eval.tasks.medqa.preprocess_medqa import doc_to_text as medqa

    def ours(name, row):
        benchmark = load_benchmarks()[name]
        return items_of(name, benchmark, [row], "here")[0].prompt

    row = {"sent1": "Which? ", "ending0": "a", "ending1": "b", "ending2": "c", "ending3": "d", "label": 0}
    assert ours("medqa", row) == medqa(row)
    row = {"question": "Which? ", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": 0}
    assert ours("medmcqa", row) == medmcqa(row)
    tasks = Path(lm_eval.__file__).parent / "tasks" / "mmlu" / "default"
    text = yaml.safe_load((tasks / "_default_template_yaml").read_text())["doc_to_text"]
    row = {"question": " Which? ", "choices": ["a", "b", "c", "d"], "answer": 0}
    for name, benchmark in load_benchmarks().items():
        if name.startswith("mmlu"):
            task = yaml.safe_load((tasks / f"{benchmark.harness}.yaml").read_text())
            assert task["dataset_name"] == benchmark.hub.name
            assert ours(name, row) == task["description"] + jinja2.Template(text).render(row)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (
            "medqa",
            {"sent1": "Q?", "ending0": "a", "ending1": "b", "ending2": "c", "ending3": "d", "label": 2},
        ),
        ("medmcqa", {"question": "Q?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": 2}),
        ("mmlu-anatomy", {"question": " Q? ", "choices": ["a", "b", "c", "d"], "answer": 2}),
        ("mmlu-anatomy", {"question": "Q?", "choices": ["a", "b", "c", "d"], "answer": "C"}),
    ],
)
def test_layouts_of_the_hub(name, row, tmp_path):
    (tmp_path / name).mkdir()
    benchmark = load_benchmarks()[name]
    (tmp_path / name / f"{benchmark.files[0]}.json").write_text(json.dumps([row]))
    (item,) = load_items(name, benchmark, tmp_path)
    assert item.gold == 2 and "C. c\n" in item.prompt and item.prompt.endswith("\nAnswer:")


def test_data_that_are_not_there_are_named(folder, tmp_path):
    benchmark = load_benchmarks()["medqa"]
    with pytest.raises(UsageError, match=r"GBaker/MedQA.*DIR/medqa/test\.jsonl.*--benchmark-data"):
        load_items("medqa", benchmark, folder)
    with pytest.raises(UsageError, match="There is no benchmark 'medqaa'"):
        chosen(["medqaa"])
    (tmp_path / "pubmedqa").mkdir()
    (tmp_path / "pubmedqa" / "test.jsonl").write_text(
        '{"question": "SECRET", "contexts": [], "answer": "si"}\n'
    )
    with pytest.raises(UsageError, match="row 1") as raised:
        load_items("pubmedqa", load_benchmarks()["pubmedqa"], tmp_path)
    assert "SECRET" not in str(raised.value)


def run(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


def test_the_command_compares_two_models_on_benchmarks(tmp_path, base, tuned, folder, capsys):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"base_model: 'path:{base.path}'\nevaluation: {{max_new_tokens: 4, bootstrap_samples: 100}}\n"
    )
    command = ["--home", tmp_path / "home", "--config", config, "evaluate", "--benchmark", "pubmedqa"]
    command += ["--benchmark", "mts-dialog", "--benchmark-data", folder, "--model", tuned.adapter, "--json"]
    code, out, err = run(command, capsys)
    assert code == 0, err
    found = json.loads(out)
    pubmedqa = found["benchmarks"]["pubmedqa"]
    assert set(pubmedqa["arms"]) == {"base", "finetuned"} and pubmedqa["cases"] == 9
    assert pubmedqa["comparisons"]["finetuned_vs_base"]["test"] == "McNemar"
    assert found["benchmarks"]["mts-dialog"]["comparisons"]["finetuned_vs_base"]["p_holm"] == 1.0
    page = Path(found["report"]).read_text(encoding="utf-8")
    assert (
        "McNemar" in page
        and "<svg" in page
        and "arXiv:1909.06146" in page
        and "http" not in page.replace("http://www.w3.org", "")
    )
    assert "Does drug" not in Path(found["report"]).with_suffix(".json").read_text(encoding="utf-8")
    assert json.loads(run(command, capsys)[1])["version"] == found["version"]


def test_an_unknown_benchmark_or_lacking_data_is_wrong_usage(tmp_path, folder, capsys):
    home = ["--home", tmp_path / "home", "evaluate", "--benchmark-data", folder, "--benchmark"]
    assert run([*home, "nope"], capsys)[0] == 2
    code, _, err = run([*home, "aci-bench"], capsys)
    assert code == 2 and "github.com/wyim/aci-bench" in err
