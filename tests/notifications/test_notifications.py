"""Real receivers on the loopback: an HTTP server and an SMTP conversation, each told what the record says."""

from __future__ import annotations

import hashlib
import hmac
import json
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import ValidationError

from preceptor.notifications.channels import SIGNATURE
from preceptor.notifications.outbox import PLACES, deliver
from preceptor.release.chain import RecordBroken
from preceptor.release.store import Store
from preceptor.settings import NotificationSettings

REASON = "ZEBRAFISH, 4 Elm Street"


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "release", bytes(range(32)))
    opened.append("registered", "preceptor/1", "run:1", {"gate": {"passed": True, "reasons": []}})
    opened.append("gate_refused", "preceptor/1", "run:1", {"gate": "promotion", "reasons": [REASON]})
    opened.append("promoted", "preceptor/1", "approval-sensor", {})
    opened.append("rolled_back", "preceptor/1", "operator:x", {"reason": REASON})
    yield opened
    opened.close()


@contextmanager
def receiver(answers=()):
    """An HTTP server that keeps what it is sent; it answers with the given codes first, then 200."""
    got, codes = [], list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = codes.pop(0) if codes else 200
            if code == 200:
                got.append((body, self.headers.get(SIGNATURE)))
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        server.server_close()


def settings(**webhook) -> NotificationSettings:
    return NotificationSettings(webhooks={"ops": {"url_env": "OPS_HOOK", **webhook}})


def test_each_event_is_told_once_in_order_and_never_its_reason(store, monkeypatch):
    with receiver() as (address, got):
        monkeypatch.setenv("OPS_HOOK", address)
        assert deliver(store, settings()).sent == 3  # what a gate refused is not among the default events
        assert deliver(store, settings()).sent == 0
        store.append("barred", "preceptor/1", "operator:x", {"reason": REASON})
        assert deliver(store, settings()).sent == 1
    told = [json.loads(body) for body, _ in got]
    assert [message["kind"] for message in told] == ["registered", "promoted", "rolled_back", "barred"]
    assert [message["event"] for message in told] == [1, 3, 4, 5]
    assert "waits for approval" in told[0]["text"] and "champion again" in told[2]["text"]
    assert not any(b"ZEBRAFISH" in body for body, _ in got)


def test_a_receiver_that_is_away_is_told_later_and_holds_up_no_other(store, monkeypatch):
    with receiver(answers=[200, 503]) as (away, late), receiver() as (address, got):
        monkeypatch.setenv("OPS_HOOK", away)
        monkeypatch.setenv("WARD_HOOK", address)
        both = NotificationSettings(
            webhooks={"ops": {"url_env": "OPS_HOOK"}, "ward": {"url_env": "WARD_HOOK"}}
        )
        first = deliver(store, both)
        assert first.problems == {"webhook-ops": "webhook-ops answered 503."}
        assert (len(late), len(got)) == (1, 3)
        assert deliver(store, both).problems == {}
        assert [json.loads(body)["event"] for body, _ in late] == [1, 3, 4]
        assert len(got) == 3


def test_an_address_nobody_listens_at_is_named_by_its_channel_only(store, monkeypatch):
    monkeypatch.setenv("OPS_HOOK", "http://127.0.0.1:9/T000/secret-part")
    found = deliver(store, settings())
    assert found.sent == 0 and "secret-part" not in str(found) and "ConnectError" in str(found)
    assert not (store.folder / PLACES).exists()


def test_slack_and_signed_bodies(store, monkeypatch):
    with receiver() as (address, got):
        monkeypatch.setenv("OPS_HOOK", address)
        monkeypatch.setenv("OPS_SECRET", "s3cret")
        deliver(store, settings(format="slack", secret_env="OPS_SECRET"))
    body, signature = got[1]
    assert json.loads(body) == {"text": "Preceptor: preceptor/1 is the champion now."}
    assert signature == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()


def test_email_goes_to_everybody(store):
    conversation: list[str] = []

    class Smtp(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            data = False
            for line in self.rfile:
                said = line.decode().rstrip("\r\n")
                conversation.append(said)
                if data:
                    if said == ".":
                        data = False
                        self.wfile.write(b"250 taken\r\n")
                elif said.upper() == "DATA":
                    data = True
                    self.wfile.write(b"354 go on\r\n")
                elif said.upper() == "QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    self.wfile.write(b"250 ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        email = {
            "host": "127.0.0.1",
            "port": server.server_address[1],
            "security": "none",
            "sender": "preceptor@example.org",
            "to": ["ml@example.org", "privacy@example.org"],
        }
        found = deliver(store, NotificationSettings(email=email, events=("promoted",)))
        server.shutdown()
    assert (found.sent, found.problems) == (1, {})
    assert [line[8:] for line in conversation if line.lower().startswith("rcpt to:")] == [
        "<ml@example.org>",
        "<privacy@example.org>",
    ]
    assert "Subject: Preceptor: preceptor/1 is the champion now." in conversation


def test_a_variable_that_is_not_set_is_named_and_stops_no_other_channel(store, monkeypatch):
    monkeypatch.delenv("OPS_HOOK", raising=False)
    with receiver() as (address, got):
        monkeypatch.setenv("WARD_HOOK", address)
        both = NotificationSettings(
            webhooks={"ops": {"url_env": "OPS_HOOK"}, "ward": {"url_env": "WARD_HOOK"}}
        )
        assert "OPS_HOOK" in deliver(store, both).problems["webhook-ops"]
    assert len(got) == 3


def test_a_record_that_was_tampered_with_tells_nothing(store, monkeypatch):
    store.append("approved", "preceptor/1", "nobody", {"digest": "00"})  # without a signature
    with receiver() as (address, got), pytest.raises(RecordBroken):
        monkeypatch.setenv("OPS_HOOK", address)
        deliver(store, settings())
    assert got == []


def test_addresses_and_unknown_events_do_not_belong_in_the_settings():
    with pytest.raises(ValidationError):
        NotificationSettings(webhooks={"ops": {"url": "https://hooks.example.org/T0"}})
    with pytest.raises(ValidationError):
        NotificationSettings(events=("signed_in",))
