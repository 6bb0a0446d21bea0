"""How well clinical facts are found: `python benchmarks/clinical_facts.py --data FILE`.

Precision and recall on the hand-labelled sample in tests/evaluation/clinical, and on FILE, conversations with the notes that
people wrote of them (JSONL with `dialogue` and `section_text` or `note`, such as MTS-Dialog's valid.jsonl), how many of the
notes' facts their own conversation is said not to support. Those are false alarms, as far as the notes are faithful.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "evaluation" / "clinical")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    from scoring import score

    from preceptor.evaluation.clinical.compare import SUPPORTED, compare
    from preceptor.evaluation.clinical.extract import extract

    found = {
        half: {kind: [round(p, 3), round(r, 3), n] for kind, (p, r, n) in score(half).items()}
        for half in ("held-out", "development")
    }
    read = gzip.open if given.data.suffix == ".gz" else open
    with read(given.data, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    extract("warm")
    started = time.process_time()
    stated: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    unsupported: Counter[str] = Counter()
    for row in rows:
        for judged in compare(row["dialogue"], "", row.get("section_text") or row["note"]).judged:
            stated[judged.fact.kind] += 1
            verdicts[judged.verdict] += 1
            unsupported[judged.fact.kind] += judged.verdict != SUPPORTED
    print(
        json.dumps(
            {
                "precision, recall, labels": found,
                "notes": len(rows),
                "facts": stated,
                "unsupported": unsupported,
                "share unsupported": round(unsupported.total() / stated.total(), 3),
                "verdicts": verdicts,
                "ms of CPU a note with its conversation": round(
                    1000 * (time.process_time() - started) / len(rows), 1
                ),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
