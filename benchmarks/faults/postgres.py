"""A PostgreSQL server of our own for the occasion: in a folder, on the loopback, with a password, and to be stopped at will."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import time
from pathlib import Path

from benchmarks.faults.processes import free_port

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def binaries() -> Path | None:
    """The folder of initdb, pg_ctl and postgres; None if there is none on this machine."""
    found = [
        folder for place in _PLACES for folder in sorted(Path("/").glob(place.lstrip("/")), reverse=True)
    ]
    if on_path := shutil.which("pg_ctl"):
        found.append(Path(on_path).parent)
    wanted = ("initdb", "pg_ctl", "postgres", "psql")
    return next((folder for folder in found if all((folder / name).exists() for name in wanted)), None)


class Postgres:
    """One server. `folder` must not exist; root runs it as the user postgres, since PostgreSQL refuses root."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        found = binaries()
        if found is None:
            raise RuntimeError("There is no PostgreSQL here: apt-get install postgresql, or the like.")
        self._binaries, self.folder, self.port = found, folder, port or free_port()
        self.password = secrets.token_urlsafe(12)
        self._user = "postgres" if os.getuid() == 0 else None

    def create(self, *databases: str) -> None:
        """Make the cluster and start it; each database has a role of its own name, and all one password."""
        self.folder.mkdir(parents=True)
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        given = self.folder / "password"
        given.write_text(self.password)
        given.chmod(0o644)  # initdb reads it as another user; it is deleted at once
        data = ["-D", str(self.folder / "data")]
        self._call(
            "initdb",
            *data,
            "-U",
            "owner",
            "-A",
            "scram-sha-256",
            f"--pwfile={given}",
            "-E",
            "UTF8",
            "--no-sync",
        )
        given.unlink()
        self.start()
        for name in databases:
            self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{self.password}'")
            self.sql(f"CREATE DATABASE {name} OWNER {name}")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200"
        self._control("start", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """`fast` ends all connections and shuts down; `immediate` is a crash, from which the next start recovers."""
        self._control("stop", "-m", mode)

    def restart(self, mode: str, seconds_down: float = 0.0) -> float:
        """Stop and start; return for how long nobody could connect."""
        began = time.monotonic()
        self.stop(mode)
        time.sleep(seconds_down)
        self.start()
        return time.monotonic() - began

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql answers, without headings."""
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "owner", "-d", database]
        return self._call(
            "psql", *address, "-v", "ON_ERROR_STOP=1", "-Atc", statement, env={"PGPASSWORD": self.password}
        )

    def _control(self, *arguments: str) -> None:
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "60", *arguments)

    def _call(self, program: str, *arguments: str, env: dict[str, str] | None = None) -> str:
        # The server outlives pg_ctl and would hold a pipe open: output goes to a file.
        with (self.folder.parent / f"{program}.out").open("w+") as output:
            subprocess.run(
                [str(self._binaries / program), *arguments],
                user=self._user,
                group=self._user,
                cwd="/",
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"LC_ALL": "C"} | (env or {}),
                check=True,
            )
            output.seek(0)
            return output.read().strip()
