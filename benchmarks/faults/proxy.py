"""docker/Caddyfile before real services: who gets in, and that what a browser sends still works behind it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.faults.processes import free_port
from benchmarks.faults.services import DOCKER, Services, wait_for

PERSON, PASSWORD = "operator", "a password for the occasion"


@contextmanager
def proxied(caddy: str, services: Services) -> Iterator[dict[str, str]]:
    """The addresses of Dagster and MLflow behind a proxy that runs for as long as the block."""
    folder = services.folder
    hashed = subprocess.run(
        [caddy, "hash-password"], input=f"{PASSWORD}\n", text=True, capture_output=True, check=True
    ).stdout.strip()
    (folder / "proxy_users").write_text(f"{PERSON} {hashed}\n")
    certificate, key = folder / "tls_certificate", folder / "tls_key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    ports = {name: free_port() for name in ("DAGSTER", "MLFLOW", "REVIEW", "SERVING")}
    environment = {
        **{f"PORT_{name}": str(port) for name, port in ports.items()},
        "PROXY_ADMIN": f"127.0.0.1:{free_port()}",
        "PROXY_USERS": str(folder / "proxy_users"),
        "PROXY_CERTIFICATE": str(certificate),
        "PROXY_KEY": str(key),
        "DAGSTER": f"127.0.0.1:{services.web}",
        "MLFLOW": f"127.0.0.1:{services.mlflow}",
        "REVIEW": "127.0.0.1:1",
        "SERVING": "127.0.0.1:1",
        "HOME": str(folder),
    }
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [caddy, "run", "--adapter", "caddyfile", "--config", str(DOCKER / "Caddyfile")],
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )
    found = {name: f"https://localhost:{port}" for name, port in ports.items()}
    try:
        wait_for(lambda: _status(found["DAGSTER"], certificate) == 401, 60)
        yield found
    finally:
        process.terminate()
        process.wait(20)


def looked_at(caddy: str, services: Services) -> dict[str, Any]:
    """Status codes of what nobody, somebody with a wrong password, and a person ask of the proxy."""
    certificate = services.folder / "tls_certificate"
    with proxied(caddy, services) as at:
        runs = {"query": "query { runsOrError { __typename } }"}
        made = {"name": "behind-the-proxy"}
        person = (PERSON, PASSWORD)
        dagster, mlflow = f"{at['DAGSTER']}/graphql", f"{at['MLFLOW']}/ajax-api/2.0/mlflow/experiments/create"
        return {
            "Dagster, nobody": _status(dagster, certificate, json=runs),
            "Dagster, wrong password": _status(dagster, certificate, json=runs, auth=(PERSON, "wrong")),
            "Dagster, a person": _status(dagster, certificate, json=runs, auth=person),
            "MLflow, nobody": _status(mlflow, certificate, json=made),
            "MLflow, a person": _status(mlflow, certificate, json=made, auth=person),
            "plain HTTP": _plain(at["DAGSTER"].replace("https", "http")),
        }


def _status(url: str, certificate: Path, json: Any = None, auth: Any = None) -> int | str:
    import ssl

    trusted = ssl.create_default_context(cafile=str(certificate))
    try:
        with httpx.Client(verify=trusted, timeout=60) as browser:
            return browser.request("POST" if json else "GET", url, json=json, auth=auth).status_code
    except httpx.HTTPError as error:
        return type(error).__name__


def _plain(url: str) -> int | str:
    try:
        return httpx.get(url, timeout=10).status_code
    except httpx.HTTPError as error:
        return type(error).__name__
