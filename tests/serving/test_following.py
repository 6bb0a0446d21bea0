"""Promotion under load, barred versions, canary and shadow, keys, limits and overload."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from preceptor.errors import GateRefused, UsageError
from preceptor.release.candidates import bar
from preceptor.serving import traffic
from preceptor.serving.api_keys import ApiKeys
from preceptor.serving.follower import Plan

CHAT = "/v1/chat/completions"
ASKED = [{"role": "user", "content": "The patient coughs."}]


@pytest.fixture
def own(tmp_path, base_folder, make_adapter, home, database):
    made = type(home)(tmp_path / "home", base_folder, make_adapter, database)
    made.crown(made.version(1))
    return made


def body(**more) -> dict:
    return {"messages": ASKED, "max_tokens": 12, **more}


def test_a_promotion_under_load_drops_no_request_and_a_barred_version_stops(own, serve_home, wait_until):
    second = own.version(2)
    with serve_home(own) as running:
        found: list[tuple[int, str]] = []
        stop = threading.Event()

        def client() -> None:
            with httpx.Client(base_url=running.address, timeout=60) as http:
                while not stop.is_set():
                    answer = http.post(CHAT, json=body())
                    found.append((answer.status_code, answer.json().get("model", "")))

        threads = [threading.Thread(target=client) for _ in range(3)]
        [t.start() for t in threads]
        wait_until(lambda: len(found) > 5)
        own.crown(second)
        wait_until(lambda: found[-1][1] == "preceptor/2")
        time.sleep(0.5)
        stop.set()
        [t.join() for t in threads]
        assert {status for status, _ in found} == {200}
        assert {model for _, model in found} == {"preceptor/1", "preceptor/2"}
        assert running.server.backend.bases.bases() == 1  # one base for both
        wait_until(lambda: list(running.server.backend.engine._lanes) == ["preceptor/2"])
        text = running.client.post(CHAT, json=body()).json()["choices"][0]["message"]["content"]
        assert text == own.expected(2, ASKED, 12) != own.expected(1, ASKED, 12)

        bar(own.store, ["preceptor/2"], reason="test", actor="test")
        wait_until(lambda: running.client.post(CHAT, json=body()).status_code == 503)
        assert running.client.get("/health/ready").status_code == 503
    with pytest.raises(GateRefused, match="barred"), serve_home(own):
        pass


def test_attached_adapters_answer_the_same(home, serve_home):
    with serve_home(home, adapters="attached") as running:
        text = running.client.post(CHAT, json=body()).json()["choices"][0]["message"]["content"]
        assert text == home.expected(1, ASKED, 12)


def test_a_changed_file_is_never_served(own, serve_home):
    with serve_home(own) as running:
        folder = running.server.follower.get("preceptor@champion").version.path
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with serve_home(own) as running:  # our copy is made anew from the registry
        text = running.client.post(CHAT, json=body()).json()["choices"][0]["message"]["content"]
        assert text == own.expected(1, ASKED, 12)


def test_shadow_is_logged_and_unseen_and_canary_is_sticky(own, serve_home, wait_until):
    own.candidate(own.version(2))
    folder = own.workspace.serving / "traffic"
    with serve_home(own, Plan("preceptor@champion", shadow="preceptor@candidate")) as running:
        shown = running.client.post(CHAT, json=body()).json()
        assert shown["model"] == "preceptor/1"
        wait_until(lambda: any(r.role == "shadow" for r in traffic.requests(folder)))
    shadow = next(r for r in traffic.requests(folder) if r.role == "shadow")
    assert (shadow.version, shadow.pair_of, shadow.outcome) == ("preceptor/2", shown["id"], "length")

    plan = Plan("preceptor@champion", canary="preceptor@candidate", share=0.5)
    with serve_home(own, plan) as running:
        models = {
            user: {running.client.post(CHAT, json=body(user=user)).json()["model"] for _ in range(3)}
            for user in "abcdefgh"
        }
    assert all(len(found) == 1 for found in models.values())
    assert set.union(*models.values()) == {"preceptor/1", "preceptor/2"}
    assert any(r.role == "canary" for r in traffic.requests(folder))


def test_keys_have_scopes_and_are_revoked_at_once(own, serve_home):
    keys = ApiKeys(own.workspace.serving)
    key, sent = keys.add("ward 3")
    assert sent not in (own.workspace.serving / "keys.json").read_text()
    assert sent.rpartition("-")[2] not in (own.workspace.serving / "keys.json").read_text()
    with serve_home(own) as running:

        def ask(path: str = CHAT, token: str = sent, **given) -> int:
            headers = {"authorization": f"Bearer {token}"}
            return running.client.post(path, json=given or body(), headers=headers).status_code

        assert running.client.post(CHAT, json=body()).status_code == 401
        assert ask(token=sent + "x") == 401
        assert ask() == 200
        assert ask("/v1/completions", prompt="a", max_tokens=1) == 403
        assert running.client.get("/metrics", headers={"authorization": f"Bearer {sent}"}).status_code == 403
        keys.revoke(key.id)
        assert ask() == 401
        assert (
            running.client.post(CHAT, json=body()).status_code == 401
        )  # the last one is gone: nobody comes in
        keys.add("other")
        assert ask() == 401


def test_another_interface_needs_keys(own, serve_home):
    with pytest.raises(UsageError, match="serve keys add"), serve_home(own, host="0.0.0.0"):
        pass


def test_too_many_requests_get_429_and_overload_503_and_the_server_lives(own, serve_home):
    with serve_home(own, requests_per_minute=2) as running:
        statuses = [running.client.post(CHAT, json=body()) for _ in range(3)]
        assert [a.status_code for a in statuses] == [200, 200, 429]
        assert 1 <= int(statuses[2].headers["retry-after"]) <= 31
    with serve_home(own, rows=1, queue=2) as running:
        found: list[httpx.Response] = []

        def ask() -> None:
            with httpx.Client(base_url=running.address, timeout=60) as client:
                found.append(client.post(CHAT, json=body(max_tokens=64)))

        threads = [threading.Thread(target=ask) for _ in range(24)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        by_status = {s: sum(a.status_code == s for a in found) for s in (200, 503)}
        assert by_status[200] >= 3 and by_status[503] >= 1 and sum(by_status.values()) == 24
        assert all("retry-after" in a.headers for a in found if a.status_code == 503)
        assert running.client.post(CHAT, json=body()).status_code == 200
    outcomes = [r.outcome for r in traffic.requests(own.workspace.serving / "traffic")]
    assert outcomes.count("rate-limited") == 1 and outcomes.count("shed") == by_status[503]


def test_an_answer_that_takes_too_long_is_cut_off(own, serve_home):
    with serve_home(own, max_seconds=0.001) as running:
        assert running.client.post(CHAT, json=body(max_tokens=64)).status_code == 504


def test_the_relay_to_vllm_hands_on_what_a_completions_server_writes(home, serve_home):
    """vLLM itself is not here: a gateway of ours, which speaks the same API, stands for it."""
    import asyncio

    from preceptor.serving.backend import Ask
    from preceptor.serving.prompts import chat_ids
    from preceptor.serving.vllm import Upstream, relayed

    with serve_home(home) as running:
        ids = chat_ids(running.server.follower.get("preceptor@champion").tokenizer, ASKED)

        async def collect() -> list:
            return [p async for p in relayed(Upstream(running.address), "preceptor@champion", Ask(ids, 12))]

        pieces = asyncio.run(collect())
    assert "".join(p.text for p in pieces) == home.expected(1, ASKED, 12)
    assert (pieces[-1].reason, pieces[-1].tokens) == ("length", 12)
