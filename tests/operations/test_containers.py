"""docker/ without a Docker engine: everything that its files name exists, and nothing in them is open that need not be.

The compose files are read by a parser of the compose specification that refuses unknown keys, after the substitutions that
Docker makes; that a container starts is not tested here.
"""

from __future__ import annotations

import http.server
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

from preceptor.settings import ROOT, load_settings

DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"
OURS = {"mlflow", "prepare", "instance", "code", "webserver", "daemon", "review", "serving", "cli"}
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?\}")


def substituted(text: str, **given: str) -> str:
    """As Docker does, with what is set in `given` and the files' own defaults."""
    return VARIABLE.sub(lambda m: given.get(m[1], m[2] or ""), text)


def read(path: Path, **given: str) -> dict:
    return yaml.safe_load(substituted(path.read_text(), **given))


@pytest.fixture(scope="module")
def compose():
    return read(COMPOSE)


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_a_compose_file_is_one_by_the_specification(name):
    from compose_spec import PyCompose

    parsed = PyCompose.from_yaml(yaml.safe_dump(read(DOCKER / name)))
    if name == "compose.yaml":
        parsed.validate()


def test_the_parser_would_find_a_mistake(compose):
    from compose_spec import PyCompose

    wrong = yaml.safe_load(yaml.safe_dump(compose))
    wrong["services"]["daemon"]["depends"] = ["code"]
    with pytest.raises(ValueError, match="depends"):
        PyCompose.from_yaml(yaml.safe_dump(wrong))


def test_only_the_loopback_is_bound_and_only_by_the_proxy(services):
    published = {name: s["ports"] for name, s in services.items() if s.get("ports")}
    assert set(published) == {"proxy"}
    assert all(port.startswith("127.0.0.1:") for port in published["proxy"])
    assert not any(s.get("network_mode") == "host" or s.get("privileged") for s in services.values())


def test_what_holds_documents_has_no_way_out(compose, services):
    assert compose["networks"]["inside"]["internal"] is True
    assert {name for name, s in services.items() if "edge" in s["networks"]} == {"proxy"}
    assert {name for name, s in services.items() if "master_key" in s.get("secrets", ())} == {
        "code", "review", "serving", "cli",
    }  # fmt: skip
    whole_home = {n for n, s in services.items() if "home:/home/preceptor/data" in s.get("volumes", ())}
    assert whole_home == {"prepare", "code", "review", "serving", "cli"}


def test_every_service_is_bounded_and_may_do_as_little_as_can_be(services):
    for name, service in services.items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert "no-new-privileges:true" in service["security_opt"], name
        if service.get("restart") != "no":
            assert service.get("healthcheck") or "PRECEPTOR_HEALTH" in service["environment"], name


def test_secrets_come_as_files_that_are_declared_and_made(compose, services):
    declared, script = compose["secrets"], (DOCKER / "secrets.sh").read_text()
    for name, service in services.items():
        for secret in service.get("secrets", ()):
            assert secret in declared, (name, secret)
        for key, value in (service.get("environment") or {}).items():
            if value.startswith("/run/secrets/"):
                assert Path(value).name in service["secrets"], (name, key)
            elif re.search("PASSWORD|SECRET|_KEY|TOKEN", key):
                raise AssertionError(f"{name}: {key} is given as a value")
    for secret in declared:
        stem = "postgres_$name" if secret.startswith("postgres_") else secret
        assert stem in script, secret


def test_every_file_that_is_mounted_or_copied_exists(compose):
    for name, config in compose["configs"].items():
        assert (DOCKER / config["file"]).is_file(), name
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = [
        source
        for line in continued((DOCKER / "Dockerfile").read_text())
        if line.startswith("COPY ") and "--from=" not in line
        for source in [w for w in shlex.split(line)[1:-1] if not w.startswith("--")]
    ]
    assert len(copied) > 10
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source not in ignored, source


def test_what_the_program_reads_of_its_checkout_is_in_the_image():
    base = (DOCKER / "Dockerfile").read_text().split(" AS base")[1]
    copied = {
        w.split("/")[0] for line in continued(base) if line.startswith("COPY ") for w in line.split()[1:]
    }
    read = {
        found
        for folder in ("preceptor", "assets", "resources", "pipelines")
        for file in (ROOT / folder).rglob("*.py")
        for found in re.findall(r"""ROOT / ['"]([\w.-]+)""", file.read_text())
    }
    assert "recipes" in read
    assert read - {"var"} <= copied


def continued(text: str) -> list[str]:
    return re.sub(r"\\\n", " ", text).splitlines()


def test_every_command_is_a_program_that_exists(services):
    scripts = {point.name for point in entry_points(group="console_scripts")} | {"preceptor"}
    for name in OURS:
        command = services[name].get("command")
        if command is None:
            assert name == "cli"
        elif name != "prepare":
            assert command[0] in scripts, name


@pytest.mark.parametrize("name", ["review", "serving"])
def test_our_own_commands_take_the_options_that_they_are_given(services, name):
    from preceptor.cli import root

    program, group, *given = services[name]["command"]
    found = root.get_command(None, group)
    known = {option for parameter in found.params for option in parameter.opts}
    assert program == "preceptor"
    assert {word for word in given if word.startswith("--")} <= known


def test_the_code_server_has_a_name_that_the_workspace_asks_for(services):
    (entry,) = yaml.safe_load((DOCKER / "workspace.yaml").read_text())["load_from"]
    server = entry["grpc_server"]
    assert server["host"] in services
    assert str(server["port"]) in services[server["host"]]["command"]


def test_variables_of_dagsters_storage_are_set_where_it_is_used(services):
    asked = set(re.findall(r"env: (\w+)", (ROOT / "dagster_home" / "dagster-postgres.yaml").read_text()))
    assert len(asked) == 4
    for name in ("instance", "code", "webserver", "daemon", "cli"):
        assert asked | {"PGPASSWORD_FILE", "DAGSTER_HOME"} <= set(services[name]["environment"]), name


def test_the_settings_of_the_containers_are_settings():
    settings = load_settings("demo", DOCKER / "config.yaml")
    assert settings.review.host == "0.0.0.0"
    assert settings.review.tls_certificate.startswith("/run/secrets/")


def test_the_image_is_pinned_runs_as_nobody_and_says_how_it_is(services):
    lines = continued((DOCKER / "Dockerfile").read_text())
    stages = {}
    for line in lines:
        if line.startswith("FROM "):
            stage = line.split(" AS ")[1]
            stages[stage] = (line.split()[1], [])
        elif stages and line and not line.startswith("#"):
            stages[stage][1].append(line)
    for target in ("cpu", "cuda"):
        own, base = stages[target][1], stages[stages[target][0]][1]
        assert own[-1] == "USER 10001:10001"
        assert any(line.startswith("HEALTHCHECK") for line in base)
        assert f"COPY --from=environment-{target} /app/.venv /app/.venv" in own
        assert any("uv sync --frozen" in line for line in stages[f"environment-{target}"][1])
    assert list(stages)[-1] == "cpu"
    assert not any(":latest" in line for line in lines)
    assert not any(re.search(r"\bADD\b|curl .*\|", line) for line in lines)


@pytest.mark.parametrize("name", ["entrypoint.sh", "secrets.sh", "postgres-init.sh"])
def test_a_script_is_one(name):
    shell = "bash" if "bash" in (DOCKER / name).read_text().splitlines()[0] else "sh"
    subprocess.run([shell, "-n", str(DOCKER / name)], check=True)


def test_the_entrypoint_gives_a_secret_from_a_file_and_prints_none_of_it(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    show = [
        sys.executable,
        "-c",
        "import os; print(os.environ.get('PGPASSWORD'), os.environ.get('PGPASSWORD_FILE'))",
    ]
    entry = ["sh", str(DOCKER / "entrypoint.sh")]
    path = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [*entry, *show],
        env=path | {"PGPASSWORD_FILE": str(secret)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "hunter2 None\n"
    missing = subprocess.run(
        [*entry, "true"],
        env=path | {"PGPASSWORD_FILE": str(tmp_path / "none")},
        capture_output=True,
        text=True,
    )
    assert missing.returncode == 2
    assert "PGPASSWORD_FILE" in missing.stderr


def test_secrets_are_made_once_and_for_their_readers_alone(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine")
    tool = tmp_path / "bin" / "docker"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nread password\necho '$2a$14$hash-of-'${#password}\n")
    tool.chmod(0o755)
    folder = tmp_path / "secrets"
    environment = {"PRECEPTOR_SECRETS": str(folder), "PATH": f"{tool.parent}:/usr/bin:/bin:/usr/sbin:/sbin"}
    for _ in range(2):
        subprocess.run(
            ["sh", str(DOCKER / "secrets.sh")], env=environment, check=True, capture_output=True, text=True
        )
        kept = {p.name: p.read_bytes() for p in folder.iterdir()}
    declared = set(read(COMPOSE)["secrets"])
    assert set(kept) == declared
    assert all(kept.values())
    assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o440}
    first = kept
    subprocess.run(["sh", str(DOCKER / "secrets.sh")], env=environment, check=True, capture_output=True)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == first


@pytest.mark.parametrize(("status", "code"), [(200, 0), (404, 1), (503, 1)])
def test_the_health_check_asks_the_service(status, code):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert health(f"http://127.0.0.1:{server.server_port}/health") == code


def test_a_service_that_does_not_listen_is_not_healthy_and_one_that_serves_nobody_is():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert health(f"http://127.0.0.1:{taken.getsockname()[1]}/health") == 1
    assert health("") == 0


def health(what: str) -> int:
    program = [sys.executable, str(DOCKER / "health.py")]
    return subprocess.run(program, env={"PRECEPTOR_HEALTH": what}, check=False).returncode
