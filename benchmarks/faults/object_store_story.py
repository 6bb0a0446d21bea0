"""A home with an object store that dies, hangs, is tampered with and is needed: `python -m benchmarks.faults.object_store_story`.

    python -m benchmarks.faults.object_store_story --server "moto_server -H 127.0.0.1 -p {port}"
    AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… \
    python -m benchmarks.faults.object_store_story --endpoint https://store.example:9000 --bucket trial

Real are the pipeline in its smoke profile on ninety documents, the program, and the S3 server, which `--server` starts (`{port}`: where it is to listen) or `--endpoint`
names. Chapters: the pipeline with a store; `kill -9` while versions are sent; a second home, restored without its derived
data, fetches them and goes on; a byte changed in the store; a patient erased; with --server also: killed, and hanging, in the middle of a run.
Prints what became of each as JSON; exit code 1 if anything is not as it should be. About a quarter of an hour on two cores that have nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.faults.outcome import Wrong, must
from benchmarks.faults.processes import ROOT, free_port, spawn, stop_all, to_group
from preceptor.settings import StorageSettings
from preceptor.storage.errors import StorageError
from preceptor.storage.objects import Objects, open_objects

DERIVED = ("data", "models/model", "reports", "training", "storage.json")
PATIENT = "examples/corpus/records.jsonl"
# Less of everything than the smoke profile takes: what is tried here is where versions go.
DOCUMENTS = 90
SMALL: dict[str, Any] = {
    "evaluation": {
        "arms": ["base", "finetuned"],
        "max_cases": 4,
        "max_new_tokens": 8,
        "memorisation": {"examples": 0},
    },
    "training": {"overrides": {"max_steps": 3, "checkpoint_steps": 3}},
    "synthesis": {"candidates": 2, "max_new_tokens": 8},
}
PROGRAM = (sys.executable, "-c", "from preceptor.cli import main; main()")


class Server:
    """The S3 server: started here, or somebody else's. `secret` must be found nowhere afterwards."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.command, self.bucket, self.folder = options.server, options.bucket, folder
        self.port = free_port()
        self.endpoint = options.endpoint or f"http://127.0.0.1:{self.port}"
        os.environ.setdefault("AWS_ACCESS_KEY_ID", f"story-{secrets.token_hex(6)}")
        self.secret = os.environ.setdefault("AWS_SECRET_ACCESS_KEY", secrets.token_hex(20))
        os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it where it is ours, and make the bucket where it is not there."""
        from pyarrow.fs import S3FileSystem

        if self.command:
            command = shlex.split(self.command.format(port=self.port))
            self.process = spawn(command, os.environ, self.folder / "server.log")
        scheme, _, place = self.endpoint.partition("://")
        client = S3FileSystem(scheme=scheme, endpoint_override=place, allow_bucket_creation=True)
        wait(lambda: _works(lambda: client.create_dir(self.bucket)), 120)

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        to_group(self.process, number)
        if number == signal.SIGKILL:
            self.process.wait()

    def objects(self, prefix: str) -> Objects:
        settings = StorageSettings(url=f"s3://{self.bucket}/{prefix}", endpoint=self.endpoint)
        return open_objects(settings, b"")  # it reads and writes nothing that is sealed


class Story:
    """The chapters, and what each of them found."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server = folder, server
        self.run_id = secrets.token_hex(4)  # a bucket of somebody else's may have been used before
        self.found: dict[str, Any] = {}
        self.corpus = folder / "documents"
        self.corpus.mkdir()
        for path in sorted((ROOT / "examples" / "corpus" / "documents").iterdir())[:DOCUMENTS]:
            shutil.copy(path, self.corpus / path.name)

    def pipeline(self) -> None:
        """The whole pipeline; each stage's version is in the store when it ends."""
        began = time.monotonic()
        told = self.preceptor("first", "kept", "run", "--profile", "smoke")[1]
        seconds = since(began)
        held = keys(self.server.objects(self._prefix("kept")))
        versions = [key for key in held if key.endswith("manifest.json")]
        must(len(versions) == 6, f"the store has {len(versions)} versions after the run")
        waiting = self.list_("first", "kept")
        must(all(row["store"] and row["newest"] for row in waiting), "a version is not in the store")
        self.found["pipeline"] = {
            "seconds": seconds,
            "versions": len(versions),
            "objects": len(held),
            "megabytes": round(sum(held.values()) / 1e6, 2),
            "sent by stages": told.count("versions sent"),
        }

    def killed_push(self) -> None:
        """`storage push` is killed again and again, later each time, until it comes to its end."""
        objects, kills, again = self.server.objects(self._prefix("killed")), 0, 0
        for wanted in (1, 4, 8, 12):
            process = self.start("first", "killed", "storage", "push")
            wait(lambda w=wanted, p=process: len(keys(objects)) >= w or p.poll() is not None, 300, every=0)
            to_group(process, signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            whole = [row for row in self.list_("first", "killed") if row["store"]]
            self._light(f"probe-{wanted}")
            done = self.preceptor(f"probe-{wanted}", "killed", "storage", "pull", "--all", "--json")[0]
            must(done["left"] == {}, f"of what counts after a kill something is not whole: {done['left']}")
            must(len(done["versions"]) == len(whole), "not all that counts could be fetched")
            again = len(keys(objects))
        rest = self.preceptor("first", "killed", "storage", "push", "--json")[0]
        held, like = keys(objects), keys(self.server.objects(self._prefix("kept")))
        must(held == like, "after the last push the store does not hold what the first one does")
        must(kills > 0, "no push could be killed before its end")
        self.found["push killed"] = {
            "kills": kills,
            "objects then": again,
            "files sent after it": rest["files"],
        }

    def second_home(self) -> None:
        """A home made of a backup, without data sets, model and report, fetches them, and no stage does its work again."""
        self.second = self._restored("second")
        began = time.monotonic()
        told = self.preceptor("second", "kept", "run", "--profile", "smoke")[1]
        seconds = since(began)
        mine, theirs = ({r["name"] for r in self.list_(h, "kept") if r["home"]} for h in ("first", "second"))
        must(mine == theirs, "the second home has other versions")
        must(not (self.second / "training").exists(), "the second home trained")
        must(
            not list((self.second / "reports" / ".answers").glob("*.jsonl")), "the second home asked a model"
        )
        must("documents: " not in told and "answers: " not in told, "a stage did its work again")
        self.found["second home"] = {"seconds": seconds, "versions fetched": len(theirs), "made again": 0}

    def changed(self) -> None:
        """One bit of the curated examples is flipped in the store."""
        home, objects = self._light("third"), self.server.objects(self._prefix("kept"))
        key = max((k for k in keys(objects) if k.startswith("data/curated/")), key=keys(objects).__getitem__)
        body = objects.read(key) or b""
        objects.write(key, body[:999] + bytes([body[999] ^ 1]) + body[1000:])
        done, _, code = self.preceptor("third", "kept", "storage", "pull", "--json", expect=1)
        must(
            any("rule storage-digest" in reason for reason in done["left"].values()),
            "the change was not named",
        )
        must(not list((home / "data" / "curated").glob("*/manifest.json")), "the changed version was taken")
        refused = len(done["left"])
        sent = self.preceptor("first", "kept", "storage", "push", "--check", "--json")[0]
        must(sent["files"] == 1, f"{sent['files']} files were sent to mend one")
        done = self.preceptor("third", "kept", "storage", "pull", "--json")[0]
        self.found["changed"] = {
            "exit code": code,
            "versions refused": refused,
            "mended by files": sent["files"],
        }

    def erased(self) -> None:
        """A patient of the training data is forgotten: no object names the patient any more."""
        objects = self.server.objects(self._prefix("kept"))
        patient, ref = self._somebody()
        before = holding(objects, ref)
        must(before, "the patient is not in the store")
        began = time.monotonic()
        done = self.preceptor("first", "kept", "forget", "--patient", patient, "--json")[0]
        must(not holding(objects, ref), "the store still names the patient")
        self.found["erased"] = {
            "objects that held rows": len(before),
            "versions cleaned": len(done["versions"]),
            "objects that do now": 0,
            "seconds": since(began),
        }

    def away(self) -> None:
        """The server is killed when de-identified documents are there. It comes back empty, as moto does, or with what it had."""
        process = self.start("fourth", "away", "run", "--profile", "smoke", "--until", "curated_examples")
        objects = self.server.objects(self._prefix("away"))
        wait(
            lambda: any(k.startswith("data/deid-") and k.endswith("manifest.json") for k in keys(objects)),
            900,
        )
        self.server.signal(signal.SIGKILL)
        must(process.wait() == 0, "the run failed when the store went away")
        told = (self.folder / "fourth.log").read_text()
        must("rule storage-away" in told, "the run did not say that the store is away")
        self.server.start()
        done = self.preceptor("fourth", "away", "storage", "push", "--json")[0]
        must(
            not any(not row["store"] for row in self.list_("fourth", "away")), "a version is not in the store"
        )
        self.found["server killed"] = {"run": "succeeded", "sent when it was back": len(done["versions"])}

    def hanging(self) -> None:
        """The server takes connections and answers nothing, for a whole run."""
        self.preceptor("fifth", "hanging", "run", "--profile", "smoke", "--until", "raw_documents")
        self.preceptor("fifth", "hanging", "storage", "pull", "--json")
        self.server.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            told = self.preceptor(
                "fifth", "hanging", "run", "--profile", "smoke", "--until", "deidentified_documents"
            )[1]
            seconds = since(began)
        finally:
            self.server.signal(signal.SIGCONT)
        must(told.count("rule storage-away") == 3, "the run did not say that the store is away")
        done = self.preceptor("fifth", "hanging", "storage", "push", "--json")[0]
        self.found["server hanging"] = {
            "run": "succeeded",
            "seconds": seconds,
            "sent then": len(done["versions"]),
        }

    def no_secret(self) -> None:
        """Neither homes nor logs hold the secret of the store."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink()]
        holding_it = [path for path in files if self.server.secret.encode() in path.read_bytes()]
        must(not holding_it, f"{len(holding_it)} files hold the secret of the store")
        self.found["files with the secret"] = {"of": len(files), "found": 0}

    def start(self, home: str, prefix: str, *arguments: str) -> subprocess.Popen[bytes]:
        return spawn(
            self._command(home, prefix, *arguments), self._environment(), self.folder / f"{home}.log"
        )

    def preceptor(self, home: str, prefix: str, *arguments: str, expect: int = 0) -> tuple[Any, str, int]:
        """Run the program in a home; return its JSON (where asked for), what it told, and its exit code."""
        done = subprocess.run(
            self._command(home, prefix, *arguments),
            env=self._environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        with (self.folder / f"{home}.log").open("a") as log:
            log.write(done.stdout + done.stderr)
        must(
            done.returncode == expect,
            f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-800:]}",
        )
        return json.loads(done.stdout) if "--json" in arguments else None, done.stderr, done.returncode

    def list_(self, home: str, prefix: str) -> list[dict[str, Any]]:
        return self.preceptor(home, prefix, "storage", "list", "--json")[0]

    def _command(self, home: str, prefix: str, *arguments: str) -> list[str]:
        config = self.folder / f"{prefix}.yaml"
        storage = {
            "url": f"s3://{self.server.bucket}/{self._prefix(prefix)}",
            "endpoint": self.server.endpoint,
        }
        config.write_text(yaml.safe_dump({**SMALL, "corpus": str(self.corpus), "storage": storage}))
        return [*PROGRAM, "--home", str(self.folder / home), "--config", str(config), *arguments]

    def _environment(self) -> dict[str, str]:
        quiet = {
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        return {k: v for k, v in os.environ.items() if not k.startswith("PRECEPTOR_")} | quiet

    def _prefix(self, name: str) -> str:
        return f"{self.run_id}/{name}"

    def _restored(self, name: str) -> Path:
        """The first home from a backup, without what was derived; bases of models come from their package again."""
        home, file = self.folder / name, self.folder / "backup.tar"
        if not file.exists():
            self.preceptor("first", "kept", "backup", str(file), "--with-keys")
        self.preceptor(name, "kept", "restore", str(file))
        for derived in DERIVED:
            path = home / derived
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return home

    def _light(self, name: str) -> Path:
        """A home with the first one's vault and keys, and nothing else."""
        for part in ("vault", "keys"):
            shutil.copytree(self.folder / "first" / part, self.folder / name / part)
        return self.folder / name

    def _somebody(self) -> tuple[str, str]:
        """A patient whose rows are in the curated examples: the EHR's id, and the reference."""
        import pyarrow.parquet as pq

        from preceptor.settings import Workspace
        from preceptor.vault import open_vault

        (folder,) = (p.parent for p in (self.folder / "first" / "data" / "curated").glob("*/manifest.json"))
        known = set(pq.read_table(folder / "examples.parquet")["patient_ref"].to_pylist())
        vault = open_vault(Workspace(self.folder / "first"))
        try:
            for line in (ROOT / PATIENT).read_text().splitlines():
                patient = json.loads(line)["patient_id"]
                if (ref := vault.find_patient(patient)) in known and ref:
                    return patient, ref
        finally:
            vault.close()
        raise Wrong("no patient of the corpus is in the curated examples")


def keys(objects: Objects, at: str = "") -> dict[str, int]:
    """Every object with its bytes."""
    found: dict[str, int] = {}
    for name, size in objects.children(at).items():
        key = f"{at}/{name}".strip("/")
        found |= keys(objects, key) if size is None else {key: size}
    return found


def holding(objects: Objects, ref: str) -> list[str]:
    """The objects of versions in whose bytes, or Parquet columns, a patient's reference stands."""
    import io

    import pyarrow.parquet as pq

    found = []
    for key in keys(objects):
        body = objects.read(key) or b""
        columns = pq.read_table(io.BytesIO(body)).to_pydict() if body[:4] == b"PAR1" else {}
        if not key.startswith("registers/") and (
            ref.encode() in body or ref in columns.get("patient_ref", ())
        ):
            found.append(key)
    return found


def wait(condition: Callable[[], bool], seconds: float, every: float = 0.2) -> None:
    """Wait until it holds. Raises `Wrong`."""
    end = time.monotonic() + seconds
    while not condition():
        must(time.monotonic() < end, f"nothing came of waiting for {seconds} s")
        time.sleep(every)


def since(began: float) -> float:
    return round(time.monotonic() - began, 1)


def _works(call: Callable[[], object]) -> bool:
    try:
        call()
    except OSError:
        return False
    return True


CHAPTERS: dict[str, Callable[[Story], None]] = {
    "pipeline": Story.pipeline,
    "killed": Story.killed_push,
    "second": Story.second_home,
    "changed": Story.changed,
    "erased": Story.erased,
    "away": Story.away,
    "hanging": Story.hanging,
    "secret": Story.no_secret,
}
OF_OUR_SERVER = ("away", "hanging")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--server", metavar="COMMAND", help="starts an S3 server; {port} stands for its port")
    given.add_argument(
        "--endpoint", metavar="URL", help="an S3 server that is there; credentials in the environment"
    )
    parser.add_argument("--bucket", default="preceptor-story")
    parser.add_argument("--chapters", nargs="+", choices=CHAPTERS, default=list(CHAPTERS))
    parser.add_argument("--keep", type=Path, help="a new folder that is kept, with logs; default: none is")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server ends with it
    folder = options.keep or Path(tempfile.mkdtemp(prefix="preceptor-objects-"))
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(options, folder)
    story = Story(folder, server)
    try:
        server.start()
        for name in options.chapters:
            if name in OF_OUR_SERVER and not options.server:
                continue
            CHAPTERS[name](story)
            print(json.dumps({name: list(story.found.values())[-1]}), file=sys.stderr, flush=True)
        print(json.dumps(story.found, indent=1))
    except (Wrong, StorageError) as error:
        sys.exit(f"Wrong: {error}")
    finally:
        if server.process:
            stop_all([server.process])
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
