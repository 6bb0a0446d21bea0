"""Every benchmark that needs nothing but this checkout, one after another: `make bench`, or `python benchmarks/all.py [--only NAME …]`.

Each runs in a process of its own, at a size that ends in minutes; what it prints goes to FOLDER/NAME.txt [default: var/benchmarks/],
and a table says how long each took and how it ended. Speeds are ratios against a peer in the same run; let nothing else run meanwhile.
Left out: those that need data or a home (mts_dialog, clinical_facts, generation, memory, recipes, retrieval), and the faults.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "definitions": (),
    "deid": ("--notes", "150"),
    "deid_batch": ("--documents", "300"),
    "intake": ("--documents", "200"),
    "curation": ("--documents", "1000", "10000"),
    "training": (),
    "evaluation_statistics": ("--rounds", "40"),
    "serving": ("--requests", "12", "--clients", "4", "--tokens", "24", "--seconds", "60"),
    "review_load": ("--reviewers", "30"),
    "monitoring": ("--quiet-runs", "2", "--runs", "1"),
    "sizing": (),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), metavar="NAME")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "benchmarks")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    print("| benchmark | seconds | ended | |\n|---|---|---|---|", flush=True)
    for name in given.only:
        out = given.folder / f"{name}.txt"
        command = [sys.executable, "-W", "ignore", f"benchmarks/{name}.py", *BENCHMARKS[name]]
        started = time.perf_counter()
        with out.open("w", encoding="utf-8") as stream:
            code = subprocess.run(command, cwd=ROOT, stdout=stream, stderr=subprocess.DEVNULL).returncode
        failed += code != 0
        ended = "well" if code == 0 else f"**exit code {code}**"
        print(f"| {name} | {time.perf_counter() - started:.0f} | {ended} | {out} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
