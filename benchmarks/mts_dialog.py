"""MTS-Dialog from end to end: `python benchmarks/mts_dialog.py --data FOLDER --home HOME [--minutes 25] [--cases 200]`.

FOLDER has train.jsonl.gz and test1.jsonl (id, section, dialogue, section_text). The training part goes through the product's own commands,
as examples/public-corpora declares it: intake, de-identification, curation (with what it shares with test1 removed),
training by the demo recipe, at most so many minutes. Base and fine-tuned model then answer test1, and are compared by ROUGE
with paired bootstrap intervals. Nothing is tuned on test1. A run that was killed goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CONFIG = ROOT / "examples" / "public-corpora" / "mts-dialog.yaml"
TASK = "section_note"
MEASURES = ("rouge_1", "rouge_2", "rouge_l")
FIRST = 64  # cases by which the figures of a plain loop are known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--cases", type=int, default=200)
    given = parser.parse_args()
    given.home.mkdir(parents=True, exist_ok=True)
    config = _config(given.home, given.data.resolve(), given.cases)

    def preceptor(*arguments: str) -> dict:
        called = [sys.executable, "-c", "from preceptor.cli import main; main()"]
        called += ["--home", str(given.home), "--config", str(config), *arguments, "--json"]
        began = time.monotonic()
        done = subprocess.run(called, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True)
        print(f"{arguments[0]}: {time.monotonic() - began:.0f} s", flush=True)
        return json.loads(done.stdout)

    preceptor("intake", str(given.data / "train.jsonl.gz"), "--source", "mts-dialog")
    preceptor("run", "--until", "synthetic_examples")
    trained = preceptor("train", "--set", f"max_minutes={given.minutes}", "--set", f"epochs={given.epochs}")
    kept = ("examples", "steps", "tokens_per_second", "minutes", "first_loss", "last_loss", "peak_memory_mb")
    print({key: trained[key] for key in kept if key in trained})
    cases = _cases(given.data / "test1.jsonl", given.home / "test1-cases.jsonl", given.cases)
    report = preceptor("evaluate", "--cases", str(cases), "--arm", "base", "--arm", "finetuned")
    _compare(Path(report["report"]).parent / "predictions.parquet")


def _config(home: Path, data: Path, cases: int) -> Path:
    import yaml

    settings = yaml.safe_load(CONFIG.read_text())
    # All of the training part trains: its test cases are test1. Sections are short, and so are their conversations.
    settings["curation"] |= {
        "test_share": 0.0,
        "min_prompt_words": 8,
        "decontaminate_against": [str(data / "test1.jsonl")],
    }
    settings["synthesis"] = {"generator": "none"}
    settings["evaluation"] = {"batch_size": 32, "max_new_tokens": 256, "max_cases": cases}
    path = home / "mts-dialog.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def _cases(test: Path, out: Path, count: int) -> Path:
    """The rows of test1 as `evaluate --cases` reads them, with the instruction that the training examples have."""
    from preceptor.curation.tasks import load_use_cases

    (case,) = load_use_cases((TASK,), (CONFIG.parent / "use-cases",))
    rows = [json.loads(line) for line in test.read_text(encoding="utf-8").splitlines()][:count]
    with out.open("w", encoding="utf-8") as lines:
        for number, row in enumerate(rows):
            asked = f"{case.instruction.format(note_type=row['section'])}\n\n{row['dialogue'].strip()}"
            made = {"example_id": f"{number:04d}", "patient_ref": row["id"], "task": TASK}
            lines.write(json.dumps({**made, "prompt": asked, "answer": row["section_text"].strip()}) + "\n")
    return out


def _compare(predictions: Path) -> None:
    """A table of ROUGE by arm, on all cases and the first ones, and of the paired difference with its interval."""
    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(predictions).to_pylist()
    print("| cases | measure | base | fine-tuned | difference, 95 % |\n|---|---|---|---|---|")
    for many in sorted({min(FIRST, len(table) // 2), len(table) // 2}):
        for measure in MEASURES:
            by_arm = {
                arm: {row["example_id"]: row[measure] for row in table if row["arm"] == arm}
                for arm in ("base", "finetuned")
            }
            ids = sorted(by_arm["base"])[:many]
            base, tuned = (np.array([by_arm[arm][i] for i in ids]) for arm in ("base", "finetuned"))
            draws = np.random.default_rng(20).integers(0, many, (10_000, many))
            low, high = np.quantile((tuned - base)[draws].mean(axis=1), [0.025, 0.975])
            print(
                f"| {many} | {measure} | {base.mean():.3f} | {tuned.mean():.3f} | "
                f"{(tuned - base).mean():+.3f} ({low:+.3f} to {high:+.3f}) |"
            )


if __name__ == "__main__":
    main()
