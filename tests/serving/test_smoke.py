"""Smoke prompts put to real files, and whether a real server has followed."""

from __future__ import annotations

import json
import socket

import pytest

from preceptor.errors import GateRefused
from preceptor.records import Example
from preceptor.release.registry import CHAMPION, bundle_of, get_alias
from preceptor.release.signatures import approve
from preceptor.serving import rollout
from preceptor.serving.smoke import smoke_of
from preceptor.settings import GateSettings, ReleaseSettings, Settings
from preceptor.tables import EXAMPLES, write_examples, write_rows
from preceptor.versions import write_atomic

from .conftest import PASSWORD, Home


@pytest.fixture
def own(tmp_path, base_folder, make_adapter, database):
    return Home(tmp_path / "home", base_folder, make_adapter, database)


@pytest.fixture
def ask(own):
    def put(info, **release):
        settings = Settings(release=ReleaseSettings(**release))
        return smoke_of(own.workspace, settings, own.tracking, own.store)(info)

    return put


@pytest.fixture
def evaluated(own):
    """An evaluation in the home, of the version whose adapter is given, as every version's bundle names it."""

    def write(info, of, **report):
        messages = {f"summary-{n}": f"Summarise visit {n}: a cough for {n} weeks." for n in range(5)}
        folder = own.workspace.reports / "evaluation" / info.evaluation
        cases = [
            Example(id, "summary", "test", "p-1", ("d-1",), "x", prompt, "A cough.")
            for id, prompt in messages.items()
        ]
        curated = own.workspace.data / "curated" / info.data["curated"]
        curated.mkdir(parents=True)
        write_examples(curated / EXAMPLES, cases)
        rows = [
            {
                "example_id": id,
                "arm": arm,
                "answer": own.expected(of, [{"role": "user", "content": prompt}], 12),
            }
            for id, prompt in messages.items()
            for arm in ("finetuned",)
        ]
        folder.mkdir(parents=True)
        write_rows(folder / "predictions.parquet", rows, dict.fromkeys(rows[0], "string"))
        facts = {
            "number_format": "float32",
            "settings": {"max_prompt_tokens": 900, "max_new_tokens": 12},
        } | report
        write_atomic(folder / "report.json", json.dumps(facts))

    return write


def test_files_that_answer_as_evaluated_pass_and_those_of_another_model_do_not(own, ask, evaluated):
    right, wrong = own.version(1), own.version(2)
    evaluated(right, of=1)
    facts = ask(right)
    assert (facts["asked"], facts["compared"], facts["differing"]) == (7, 4, [])
    assert facts["number_format"] == "float32" and "not_compared" not in facts
    with pytest.raises(GateRefused, match="smoke-failed") as refusal:
        ask(wrong)  # its bundle names the same evaluation
    assert str(refusal.value).count(": differs") >= 2
    assert "cough" not in str(refusal.value)


def test_what_was_evaluated_elsewhere_or_in_another_format_is_not_compared_and_said_so(own, ask, evaluated):
    info = own.version(1)
    assert ask(info)["not_compared"] == "the evaluation's cases and answers are not in this home"
    evaluated(info, of=1, number_format="bfloat16")
    facts = ask(info)
    assert (facts["compared"], facts["not_compared"]) == (0, "evaluated in bfloat16, served in float32")


def test_weights_that_are_no_numbers_or_of_another_shape_are_refused(own, ask, make_adapter):
    import torch
    from safetensors.torch import load_file, save_file

    path = make_adapter(11) / "adapter_model.safetensors"
    weights = load_file(path)
    for seed, change in (
        (11, lambda t: torch.full_like(t, float("nan"))),
        (12, lambda t: t[:, :3].contiguous()),
    ):
        folder = make_adapter(seed)
        save_file({name: change(tensor) for name, tensor in weights.items()}, folder / path.name)
        own.make_adapter = lambda _, folder=folder: folder
        with pytest.raises(GateRefused, match=r"follow-up: not-finite|do not load") as refusal:
            ask(own.version(seed))
        assert "smoke-failed" in str(refusal.value)


def test_an_answer_that_takes_too_long_is_stopped_and_named(own, ask, tmp_path):
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "prompts: [{id: hello, prompt: Hello}]\nevaluated_cases: 0\nmax_new_tokens: 1000\nsame_tokens: 2\n"
        "agree: 1\nseconds: 0.05\n"
    )
    with pytest.raises(GateRefused, match="hello: slow"):
        ask(own.version(1), smoke_prompts=str(suite))


def test_a_model_at_a_provider_and_one_without_prompts_are_asked_nothing(own, ask, monkeypatch):
    info = own.version(1)
    assert ask(info, smoke_prompts="") == {"asked": 0, "why": "release.smoke_prompts names no file"}
    base = bundle_of(own.tracking, info)["base_model"]
    at_provider = {"base_model": {"name": "gpt-x", "digest": "0", "measured_by": base}}
    monkeypatch.setattr("preceptor.serving.smoke.bundle_of", lambda *_: at_provider)
    assert ask(info)["why"].startswith("the model is at a provider")


@pytest.fixture
def settings_of(monkeypatch):
    """Settings whose gate policy is the one that the tests' decisions name."""
    monkeypatch.setattr("preceptor.release.stage.policy_digest", lambda _: "policy-1")

    def make(*servers, **more):
        release = ReleaseSettings(verify_serving=servers, **{"verify_seconds": 30, **more})
        return Settings(release=release, gates=GateSettings())

    return make


def test_a_promotion_waits_until_the_server_reports_the_version(own, serve_home, settings_of):
    first, second = own.version(1), own.version(2)
    own.crown(first)
    approve(own.tracking, own.store, second.ref, as_user="ana", password=PASSWORD, reason="better")
    with serve_home(own) as running:
        settings = settings_of(running.address)
        found = rollout.roll_out(own.workspace, settings, own.tracking, own.store, second.ref, actor="test")
        assert running.client.get("/health").json()["version"] == second.ref
        assert found.serving == {} and "Every server reports it." in found.said()
        again = rollout.roll_out(own.workspace, settings, own.tracking, own.store, second.ref, actor="test")
        assert again.done.event is None
        back = rollout.roll_back(
            own.workspace, settings, own.tracking, own.store, actor="test", reason="worse"
        )
        assert back.done.champion == first.ref and back.smoke is None and back.serving == {}
    events = own.store.events(kinds=("promoted", "rolled_back", "serving_verified"))[1:]
    assert [(e.kind, e.subject) for e in events] == [
        ("promoted", second.ref),
        ("serving_verified", second.ref),
        ("rolled_back", first.ref),
        ("serving_verified", first.ref),
    ]
    assert events[1].payload["deed"] == events[0].id and events[0].payload["smoke"]["asked"] == 3


@pytest.mark.parametrize("on_unserved", ["tell", "roll_back"])
def test_a_server_that_does_not_follow_is_told_and_undoes_the_promotion_only_if_asked_to(
    own, settings_of, on_unserved
):
    first, second = own.version(1), own.version(2)
    own.crown(first)
    approve(own.tracking, own.store, second.ref, as_user="ana", password=PASSWORD, reason="better")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    settings = settings_of(address, verify_seconds=0.1, on_unserved=on_unserved)
    found = rollout.roll_out(own.workspace, settings, own.tracking, own.store, second.ref, actor="test")
    assert found.serving == {address: "was not reached (ConnectError)"}
    undone = on_unserved == "roll_back"
    assert get_alias(own.tracking, "preceptor", CHAMPION) == (1 if undone else 2)
    assert (found.back is not None) == undone
    (event,) = own.store.events(subject=second.ref, kinds=("serving_unverified",))
    assert event.payload["missing"] == found.serving
    assert own.store.verify() == []
