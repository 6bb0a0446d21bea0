"""Thousands of documents in one intake, 3 % of the files hostile: `python -m benchmarks.faults.hostile_intake [--documents N …]`.

Good files are the notes of the bundled corpus in all eight formats, each with a line of its own; hostile ones are those of
examples/hostile, as often as it takes: bombs, loops, files that hang their parser. `preceptor intake` takes them in, in a process
of its own. Every good document must be in the vault, every hostile item in quarantine under its rule, and a second intake must
add nothing. Printed for each N: seconds, the peak memory of intake's process and of the largest of its readers. Exit code 1 if
anything went otherwise. 10,000 files are about 250 MB of temporary disk; one CPU needs some minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.faults.outcome import Wrong, played
from benchmarks.faults.processes import ROOT
from preceptor.settings import Workspace
from preceptor.vault import open_vault

sys.path[:0] = [str(ROOT / "examples" / "corpus"), str(ROOT / "examples" / "hostile")]
_HANGS = 5  # seconds that a file may take; the shipped limit is 60, which this would only wait for
_SHARE = 0.03


def written(folder: Path, files: int) -> tuple[int, Counter[tuple[str, str]]]:
    """Write so many files; return how many are good, and how often which hostile item must meet which rule."""
    import build as corpus
    from every_format import has_latin_letters

    hostile, copies = _hostile(), 0
    wanted = max(1, round(files * _SHARE))
    expected: Counter[tuple[str, str]] = Counter()
    while wanted > 0:
        at = folder / f"hostile-{copies}"
        # Whole sets, and of the last as many of its files as are still wanted: the first of the list.
        hostile.build(at)
        for extra in sorted(at.iterdir())[wanted:]:
            extra.unlink()
        there = {path.name for path in at.iterdir()}
        wanted, copies = wanted - len(there), copies + 1
        expected.update(
            (item, rule)
            for item, rule in hostile.EXPECTED.items()
            if rule not in ("accepted", "duplicate") and item.split("/")[0] in there
        )
    notes = [note for note in corpus.annotated_notes() if has_latin_letters(note["text"])]
    formats = sorted(corpus.WRITERS.items())
    good = files - max(1, round(files * _SHARE))
    for number in range(good):
        name, (write, suffix) = formats[number % len(formats)]
        note = notes[number % len(notes)]
        ward = folder / f"ward-{number % 50}"
        ward.mkdir(exist_ok=True)
        text = f"{note['text']}\nVisit {number}."
        (ward / f"{name}-{number}{suffix}").write_bytes(write(note | {"text": text}))
    return good, expected


def _hostile() -> Any:
    """examples/hostile/build.py, which has the name of another module."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("hostile", ROOT / "examples" / "hostile" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def taken_in(home: Path, config: Path, inbox: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """What `preceptor intake` says, and what it took: seconds, MB of its own process and of the largest one it started."""
    program = [
        sys.executable,
        "-c",
        "from preceptor.cli import main; main()",
        "--home",
        str(home),
        "--config",
        str(config),
    ]
    began = time.monotonic()
    process = subprocess.Popen([*program, "intake", str(inbox), "--json"], cwd=ROOT, stdout=subprocess.PIPE)
    peaks = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
    watcher.start()
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)  # the largest of the process and those it waited for
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if process.returncode:
        raise Wrong(f"intake ended with {process.returncode}")
    took = {
        "seconds": round(time.monotonic() - began, 1),
        "own_mb": peaks[0],
        "largest_mb": used.ru_maxrss / 1024,
    }
    return json.loads(said), took


def _watch(process: subprocess.Popen[bytes], peaks: list[float]) -> None:
    """The peak memory of a process while it runs (proc(5), VmHWM, in KiB)."""
    while True:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            return
        lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
        if not lines:
            return
        peaks[0] = int(lines[0].split()[1]) / 1024
        time.sleep(0.1)


def checked(folder: Path, files: int) -> dict[str, Any]:
    """Write, take in twice, compare."""
    inbox, home, config = folder / "inbox", folder / "home", folder / "config.json"
    inbox.mkdir(parents=True)
    config.write_text(json.dumps({"intake": {"max_seconds": _HANGS}}))
    good, expected = written(inbox, files)
    said, took = taken_in(home, config, inbox)
    found = Counter(
        (entry["file"].removeprefix(f"{inbox}/").partition("/")[2], entry["rule"])
        for entry in said["quarantined"]
    )
    if found != expected:
        raise Wrong(f"of quarantine, missing: {dict(expected - found)}, too much: {dict(found - expected)}")
    extra = said["accepted"] - good  # notes inside hostile archives that are fine
    if not 0 <= extra <= 3 or said["documents"] != said["accepted"]:
        raise Wrong(f"{said['accepted']} files and {said['documents']} documents came in of {good} good ones")
    parts = said["accepted"] + said["duplicates"] + said["refused_files"] + said["quarantined_files"]
    if said["files"] != parts:
        raise Wrong(f"{said['files']} items, but {parts} verdicts")
    again, _ = taken_in(home, config, inbox)
    if again["accepted"] or again["documents"]:
        raise Wrong(f"a second intake took in {again['accepted']} files anew")
    with closing(open_vault(Workspace(home))) as vault:
        held = vault.counts(said["batch"])
    if held.documents != said["documents"]:
        raise Wrong(f"the vault holds {held.documents} documents of {said['documents']}")
    return {"files": files, "documents": said["documents"], "quarantined": len(said["quarantined"]), **took}


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--documents", type=int, nargs="+", default=[1_000, 10_000], metavar="N")
    given = options.parse_args()
    for files in given.documents:
        with tempfile.TemporaryDirectory(prefix="preceptor-hostile-") as folder:
            code = played(lambda: print(json.dumps(checked(Path(folder), files)), flush=True))  # noqa: B023 - played at once
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
