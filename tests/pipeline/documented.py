"""The commands that README, CONTRIBUTING and docs/ show, in the order of the pages; those that no test can run, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# docs/reference/ is made of the program's own help, which tests/house/test_docs.py compares.
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_PROGRAMS = (
    "preceptor", "make", "uv", r"python3?", "pytest", "export", "pre-commit", "docker", "kubectl", "helm", "mlflow", r"dagster[\w-]*",
    "createuser", "cp", "sudo", "sh", "bash", "curl", "pip", "echo",
)  # fmt: skip
_COMMAND = re.compile(rf"(?:\$ )?((?:{'|'.join(_PROGRAMS)})(?: .*)?)$")
_FENCE = re.compile(r" {0,3}```(\w*)")


@dataclass(frozen=True, slots=True)
class Command:
    """A command line of a page, without prompt, comment and `uv run`; `code` is how it ends: 0, or what the comment says."""

    page: str
    line: int
    text: str
    code: int

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.text}"


def shown_on(page: Path) -> list[Command]:
    """The command lines in a page's code blocks: indented ones, and fenced ones of no language or of `console`."""
    found, fence, paragraph = [], None, False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if mark := _FENCE.match(line):
            fence = mark[1] if fence is None else None
            continue
        # An indented line that goes on with a paragraph or a list is text.
        indented = line.startswith("    ") and not paragraph
        paragraph = fence is None and bool(line.strip()) and not indented and not line.startswith("#")
        if (fence in ("", "console") or (fence is None and indented)) and (
            command := _COMMAND.match(line.strip())
        ):
            text, _, comment = command[1].partition(" #")
            code = int(said[1]) if (said := re.search(r"\bexit (\d+)", comment)) else 0
            text = text.removeprefix("uv run ").strip()
            found.append(Command(page.relative_to(ROOT).as_posix(), number, text, code))
    return found


COMMANDS = [command for page in PAGES for command in shown_on(page)]

_SERVES = "serves until it is stopped"
_POSTGRES = "needs PostgreSQL; tests/operations starts these where it is"
_DOCKER = "needs Docker; tests/operations reads its files"
_CLUSTER = "needs a cluster; tests/operations reads its manifests"
# Of make only the targets are looked at: `make --dry-run`.
NOT_RUN = {
    "pre-commit install": "changes the checkout's hooks, and is another project's program",
    "preceptor ui": _SERVES + ": tests/operations",
    "preceptor review": _SERVES + ": tests/review",
    "preceptor serve": _SERVES + ": tests/serving",
    "preceptor serve --rag --shadow candidate": _SERVES + ": tests/serving",
    "preceptor serve --canary candidate=0.05": _SERVES + ": tests/serving",
    "preceptor train --recipe recipes/train/zero2-cpu.yaml --gpus 2": "half a minute of two processes: tests/training",
    """curl -s http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' -d '{"model": "preceptor", "messages": """
    """[{"role": "user", "content": "Summarise: cough for two weeks."}]}'""": "asks a server: tests/serving",
    "preceptor data sufficiency --curve": "a minute of trainings: tests/pipeline/test_dag.py",
    "preceptor data ablation": "a minute of trainings: tests/pipeline/test_dag.py",
    "preceptor search --trials 20": "twenty trainings: tests/training/test_search.py",
    "preceptor search --recipe recipes/train/lora-cpu.yaml --space recipes/search/lora.yaml --trials 20":
        "twenty trainings: tests/training/test_search.py",
    "preceptor train --recipe var/searches/DIGEST/best-recipe.yaml": "what a search found: tests/training/test_search.py",
    "preceptor train --launcher k8s --render": "wants the base model in the home: tests/training/test_kubernetes.py renders one",
    "preceptor train --launcher k8s": "needs a cluster; tests/training follows one with a stand-in",
    "export PATH=$PWD/.uv/bin:$PATH": "the test sets it itself",
    "export PRECEPTOR_HOME=$PWD/mine/home PRECEPTOR_CONFIG=$PWD/mine/preceptor.yaml": "the test sets them itself, to its home",
    "uv sync --frozen --extra postgres": "changes the environment",
    "createuser -P dagster && createdb -O dagster dagster": _POSTGRES,
    "createuser -P mlflow && createdb -O mlflow mlflow": _POSTGRES,
    'cp dagster_home/dagster-postgres.yaml "$PRECEPTOR_HOME/dagster_home/dagster.yaml"': _POSTGRES,
    'mlflow server --host 127.0.0.1 --port 5000 --workers 1 --artifacts-destination "$PRECEPTOR_HOME/mlflow/artifacts"': _POSTGRES,
    "dagster code-server start -m pipelines.definitions -h 127.0.0.1 -p 4000": _POSTGRES,
    "dagster-webserver -w workspace.yaml -h 127.0.0.1 -p 3000": _POSTGRES,
    "dagster-daemon run -w workspace.yaml": _POSTGRES,
    "docker build -f docker/Dockerfile -t preceptor:cpu .": _DOCKER,
    "sudo sh docker/secrets.sh": _DOCKER,
    "docker compose -f docker/compose.yaml up -d": _DOCKER,
    "docker compose -f docker/compose.yaml run --rm cli preceptor intake /inbox/documents --records /inbox/records.jsonl": _DOCKER,
    "docker compose -f docker/compose.yaml run --rm cli preceptor run": _DOCKER,
    "kubectl create namespace preceptor": _CLUSTER,
    "kubectl apply -f docker/kubernetes/preceptor.yaml": _CLUSTER,
    "helm upgrade --install dagster dagster/dagster --version 1.13.27 -n preceptor -f docker/kubernetes/dagster-values.yaml": _CLUSTER,
}  # fmt: skip

# What a reader replaces, and what the test replaces it by; names in braces are those of `Story`. A command that asks for a password
# is given one by --password-stdin.
FILLED = {
    "preceptor init FOLDER": "preceptor init {documents}",
    "preceptor init NOTES --records records.jsonl --to mine": "preceptor init {documents} --records records.jsonl --to mine",
    "preceptor intake FOLDER --records records.jsonl": "preceptor intake {documents} --records records.jsonl",
    "preceptor data sufficiency [--curve]": "preceptor data sufficiency",
    "preceptor deid review show d-0123456789abcdef": "preceptor deid review show {document}",
    "preceptor deid review decide d-… --verdict clean --as rita":
        "preceptor deid review decide {document} --verdict clean --as rita",
    "preceptor deid review decide d-… --verdict leak --missed 1 --as rita":
        "preceptor deid review decide {document} --verdict leak --missed 1 --as rita",
    "preceptor providers approve NAME --for evaluation --as USER --reason TEXT":
        "preceptor providers approve ours --for evaluation --as pia --reason reviewed",
    "preceptor providers approve NAME --for synthesis --as USER --reason TEXT":
        "preceptor providers approve ours --for synthesis --as pia --reason reviewed",
    "preceptor providers approve NAME --as USER --reason TEXT": "preceptor providers approve ours --as pia --reason reviewed",
    "preceptor train --provider NAME --estimate": "preceptor train --provider ours --estimate",
    "preceptor train --provider NAME": "preceptor train --provider ours",
    "preceptor providers cancel JOB": "preceptor providers cancel {job}",
    "preceptor evaluate --benchmark pubmedqa --benchmark mts-dialog --benchmark-data DIR":
        "preceptor evaluate --benchmark pubmedqa --benchmark mts-dialog --benchmark-data {benchmarks}",
    "preceptor evaluate --benchmark pubmedqa --benchmark-data DIR --benchmark-cases 50 --arm base":
        "preceptor evaluate --benchmark pubmedqa --benchmark-data {benchmarks} --benchmark-cases 50 --arm base",
    "preceptor models merge VERSION FOLDER": "preceptor models merge {trained} merged",
    "preceptor export --alias preceptor/3 --to ollama-bundle out/ollama":
        "preceptor export --alias preceptor/1 --to ollama-bundle out/ollama",
    'preceptor users add rita --role reviewer --printed-name "Dr Rita Lund"':
        'preceptor users add lund --role reviewer --printed-name "Dr Rita Lund"',  # Rita has signed on another page
    "preceptor release papers preceptor/2": "preceptor release papers preceptor/1",
    "preceptor vault rotate --to /secure/new.key": "preceptor vault rotate --to {new_key}",
    "preceptor vault audit --patient 4711": "preceptor vault audit --patient {patient}",
    "preceptor forget --patient ID": "preceptor forget --patient {patient}",
    "preceptor --home restored restore mine.tar": "preceptor --home {folder}/restored restore mine.tar",
    "preceptor backup FILE.tar": "preceptor backup home.tar",
    "preceptor --home NEW restore FILE.tar": "preceptor --home {new_home} restore home.tar",
}  # fmt: skip

# Pages that tell of a home from its beginning; the others go on in that of the page before.
BEGINS_ANEW = {"docs/tutorial.md"}

# What the text of a page has done, or asks for, before its first command.
BEFORE = {
    "README.md": ['preceptor release approve preceptor/1 --as ana --reason "read the report"'],
    "docs/deidentification.md": ["preceptor users add rita --role reviewer"],
}
