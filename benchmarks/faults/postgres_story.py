"""Preceptor on PostgreSQL, as docker/compose.yaml runs it, without containers: `python benchmarks/faults/postgres_story.py`.

Real processes: PostgreSQL, MLflow's server, a code server, the webserver, the daemon. Runs are started through the webserver's
GraphQL API. Chapters: one run; several batches at once; two whole pipelines that contend for the pool of one, with
PostgreSQL restarted while they train; PostgreSQL away for a minute. Prints what became of each, and what was lost.
With Caddy on the machine, docker/Caddyfile stands before them, too. Takes about a quarter of an hour on two cores; --chapters takes a part. Needs PostgreSQL's programs and the extra `postgres`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.faults.postgres import binaries
from benchmarks.faults.proxy import looked_at
from benchmarks.faults.services import ENDED, ROOT, Services, running, wait_for

DOCUMENTS = ROOT / "examples" / "corpus" / "documents"
RECORDS = ROOT / "examples" / "corpus" / "records.jsonl"
FIRST_STAGES = ("raw_documents", "deidentified_documents")
POOL = "accelerator"  # of the assets that train and generate


class House:
    """A home with batches in its vault, in the smoke profile."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        config = folder / "config.yaml"
        config.write_text("corpus: null\n")
        self.environment = {
            "PRECEPTOR_HOME": str(self.home),
            "PRECEPTOR_PROFILE": "smoke",
            "PRECEPTOR_CONFIG": str(config),
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        self.batches: list[str] = []
        self.accepted = 0

    def take_in(self, name: str, files: list[Path]) -> str:
        """A batch of these documents; return its name."""
        inbox = self.folder / "inbox" / name
        inbox.mkdir(parents=True)
        for file in files:
            shutil.copy(file, inbox / file.name)
        program = [sys.executable, "-c", "from preceptor.cli import main; main()", "--home", str(self.home)]
        asked = [*program, "intake", str(inbox), "--records", str(RECORDS), "--source", name, "--json"]
        done = subprocess.run(asked, capture_output=True, check=True, cwd=ROOT, text=True)
        found = json.loads(done.stdout)
        self.accepted += found["documents"]
        self.batches.append(found["batch"])
        return found["batch"]


class Story:
    """The chapters, and what each of them found."""

    def __init__(self, house: House, services: Services) -> None:
        self.house, self.services = house, services
        self.found: dict[str, Any] = {}

    def one_run(self) -> None:
        """A run launched through GraphQL, watched to its end."""
        batch = self.house.take_in("first", self._documents(0, 6))
        began = time.monotonic()
        run = self.services.webserver.launch("pipeline", batch=batch, assets=FIRST_STAGES)
        self.found["one run"] = {"status": self._ends(300, run)[0], "seconds": since(began)}

    def many_batches(self) -> None:
        """Eight batches launched at once: not more than the file allows are at work."""
        batches = [self.house.take_in(f"ward{n}", self._documents(6 + 4 * n, 10 + 4 * n)) for n in range(8)]
        began = time.monotonic()
        runs = [
            self.services.webserver.launch("pipeline", batch=batch, assets=FIRST_STAGES) for batch in batches
        ]
        most = 0

        def ended() -> bool:
            nonlocal most
            now = self.services.statuses(*runs)
            most = max(most, sum(s in ("STARTING", "STARTED") for s in now))
            return set(now) <= ENDED

        wait_for(ended, 900)
        self.found["eight batches at once"] = {
            "statuses": counted(self.services.statuses(*runs)),
            "most at work": most,
            "seconds": since(began),
        }

    def restart_while_training(self) -> None:
        """Two whole pipelines are launched; the second waits for the pool. PostgreSQL is restarted when the first trains."""
        batches = [
            self.house.take_in("north", self._documents(38, 98)),
            self.house.take_in("south", self._documents(98, 158)),
        ]
        began = time.monotonic()
        runs = [self.services.webserver.launch("pipeline", batch=batch) for batch in batches]
        wait_for(lambda: self._training(runs), 1200)
        away = self.services.postgres.restart("fast")
        statuses = self._ends(1200, *runs)
        self.found["restarted while training"] = {
            "away for seconds": round(away, 1),
            "statuses": counted(statuses),
            "runs begun anew": self._begun_anew(runs),
            "webserver did not answer": self.services.unanswered,
            "seconds": since(began),
            **self._pool(),
            "rows of Dagster's events": int(
                self.services.postgres.sql("SELECT count(*) FROM event_logs", "dagster")
            ),
            "registered": self._registered(),
        }

    def crash_while_deidentifying(self) -> None:
        """PostgreSQL dies, as by a power cut, while a run is at work, and is away for a minute: longer than Dagster waits."""
        self.services.webserver.switch_on("lost_runs")
        batch = self.house.take_in("late", self._documents(158, 180))
        run = self.services.webserver.launch("pipeline", batch=batch, assets=FIRST_STAGES)
        wait_for(lambda: self.services.statuses(run) == ["STARTED"], 300, every=0.1)
        away = self.services.postgres.restart("immediate", seconds_down=60)
        began = time.monotonic()
        # Its last try: the first one's process cannot live without the database.
        with suppress(TimeoutError):
            wait_for(lambda: self.services.statuses(run) == ["SUCCESS"], 420, every=1)
        self.found["crashed, away for a minute"] = {
            "away for seconds": round(away, 1),
            "status": self.services.statuses(run)[0],
            "seconds after it was back": since(began),
            "runs begun anew": self._begun_anew([run]),
            "webserver did not answer": self.services.unanswered,
            "processes that ended": self._ended_processes(),
        }

    def _ends(self, seconds: float, *runs: str) -> list[str]:
        wait_for(lambda: set(self.services.statuses(*runs)) <= ENDED, seconds, every=1)
        return self.services.statuses(*runs)

    def _begun_anew(self, runs: list[str]) -> int:
        return sum(r["parentRunId"] in runs and r["runId"] not in runs for r in self.services.runs())

    def _ended_processes(self) -> list[str]:
        return sorted(name for name, p in self.services.processes.items() if p.poll() is not None)

    def _training(self, runs: list[str]) -> bool:
        query = (
            "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_START' "
            f"AND step_key = 'fine_tuned_model' AND run_id IN ({', '.join(repr(r) for r in runs)})"
        )
        return int(self.services.postgres.sql(query, "dagster")) > 0

    def _pool(self) -> dict[str, Any]:
        """How many steps of the pool were at work at once, at most, by the event log."""
        import dagster as dg

        from assets import curated, evaluation, model, synthetic

        pooled = [
            asset.op.name
            for module in (curated, evaluation, model, synthetic)
            for asset in vars(module).values()
            if isinstance(asset, dg.AssetsDefinition) and asset.op.pool == POOL
        ]
        steps = ", ".join(repr(name) for name in sorted(set(pooled)))
        rows = self.services.postgres.sql(
            "SELECT extract(epoch FROM timestamp), CASE dagster_event_type WHEN 'STEP_START' THEN 1 ELSE -1 END "
            "FROM event_logs WHERE dagster_event_type IN ('STEP_START', 'STEP_SUCCESS', 'STEP_FAILURE') "
            f"AND step_key IN ({steps}) ORDER BY timestamp, id",
            "dagster",
        )
        at_work = most = 0
        for row in rows.splitlines():
            at_work += int(row.split("|")[1])
            most = max(most, at_work)
        return {"steps of the pool": len(rows.splitlines()) // 2, "at once, at most": most}

    def _registered(self) -> list[str]:
        return self.services.postgres.sql(
            "SELECT name || '/' || version FROM model_versions", "mlflow"
        ).split()

    def _documents(self, first: int, last: int) -> list[Path]:
        return sorted(DOCUMENTS.iterdir())[first:last]


def since(began: float) -> float:
    return round(time.monotonic() - began, 1)


def counted(statuses: list[str]) -> dict[str, int]:
    return {status: statuses.count(status) for status in sorted(set(statuses))}


CHAPTERS: dict[str, Callable[[Story], None]] = {
    "one": Story.one_run,
    "many": Story.many_batches,
    "restart": Story.restart_while_training,
    "crash": Story.crash_while_deidentifying,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chapters", nargs="+", choices=CHAPTERS, default=list(CHAPTERS))
    parser.add_argument("--caddy", default=shutil.which("caddy"), help="where Caddy is; default: on the PATH")
    parser.add_argument("--keep", type=Path, help="a folder that is kept, with logs; default: none is")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the services end with it
    if binaries() is None:
        sys.exit("PostgreSQL's programs (initdb, pg_ctl, postgres, psql) are not on this machine.")
    folder = options.keep or Path(tempfile.mkdtemp(prefix="preceptor-postgres-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # PostgreSQL's user goes through it
    try:
        house = House(folder)
        began = time.monotonic()
        with running(folder, house.environment) as services:
            story = Story(house, services)
            story.found["all services up"] = {"seconds": since(began), "healthy": services.healthy()}
            if options.caddy:
                story.found["behind the proxy"] = looked_at(options.caddy, services)
            for name in options.chapters:
                CHAPTERS[name](story)
                print(json.dumps({name: list(story.found.values())[-1]}), file=sys.stderr, flush=True)
        print(json.dumps(story.found, indent=1))
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
