"""The Transit provider against a local server that answers as the API documentation says; no real Vault was there."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from preceptor.errors import UsageError
from preceptor.settings import VaultSettings
from preceptor.vault import VaultError, open_vault

SETTINGS = VaultSettings(keys="transit", transit_key="preceptor")
TOKEN = "s.secret-token"


class _Transit(BaseHTTPRequestHandler):
    known: dict[str, str] = {}

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        what = self.path.removeprefix("/v1/transit/")
        if self.headers["X-Vault-Token"] != TOKEN:
            return self._answer(403, {"errors": ["permission denied"]})
        if what == "encrypt/preceptor":
            name = f"vault:v1:{len(self.known)}"
            self.known[name] = body["plaintext"]
            return self._answer(200, {"data": {"ciphertext": name}})
        if what == "decrypt/preceptor" and body["ciphertext"] in self.known:
            return self._answer(200, {"data": {"plaintext": self.known[body["ciphertext"]]}})
        return self._answer(400, {"errors": ["invalid ciphertext"]})

    def _answer(self, status, data):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(data).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def server(workspace, monkeypatch):
    running = HTTPServer(("127.0.0.1", 0), _Transit)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{running.server_port}/")
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    yield running
    running.shutdown()
    running.server_close()


def test_a_transit_key_keeps_the_keyring(workspace, server, put):
    vault = open_vault(workspace, SETTINGS)
    _, document, _ = put(vault)
    vault.close()
    assert not workspace.keys.exists()
    vault = open_vault(workspace)
    assert vault.document(document, why="test").text
    vault.close()
    assert (
        base64.b64decode(next(iter(_Transit.known.values())))
        not in (workspace.vault / "keyring.json").read_bytes()
    )


def test_a_token_may_be_in_a_file(workspace, server, monkeypatch, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    monkeypatch.delenv("VAULT_TOKEN")
    with pytest.raises(UsageError, match="VAULT_TOKEN_FILE"):
        open_vault(workspace, SETTINGS)
    monkeypatch.setenv("VAULT_TOKEN_FILE", str(tmp_path / "token"))
    open_vault(workspace, SETTINGS).close()


def test_a_refusal_is_told_without_the_token(workspace, server, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", "s.wrong-token")
    with pytest.raises(VaultError, match="HTTP 403") as refused:
        open_vault(workspace, SETTINGS)
    assert "wrong-token" not in str(refused.value)


def test_a_server_that_is_away_keeps_the_vault_closed(workspace, server, monkeypatch):
    open_vault(workspace, SETTINGS).close()
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    with pytest.raises(VaultError, match="did not answer"):
        open_vault(workspace)
    monkeypatch.delenv("VAULT_ADDR")
    with pytest.raises(UsageError, match="VAULT_ADDR"):
        open_vault(workspace)
