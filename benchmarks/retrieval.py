"""How often retrieval finds a case like the one asked about: `python benchmarks/retrieval.py CURATED [MODEL-FOLDER]`.

CURATED is a curated version's folder. A training example is like a held-out case if it shares a code with it (the coding use
cases). Recall@k: the share of held-out cases, of those that have any such example, with one among the first k.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from preceptor.evaluation.embedding import embedder
from preceptor.evaluation.search import CaseSearch
from preceptor.tables import EXAMPLES, read_examples

CODE = re.compile(r"^([A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?)", re.MULTILINE)


def main() -> None:
    examples = read_examples(Path(sys.argv[1]) / EXAMPLES)
    make = embedder(Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    for task in sorted({e.task for e in examples if e.task.startswith("coding")}):
        train = [e for e in examples if e.task == task and e.split == "train"]
        cases = [e for e in examples if e.task == task and e.split != "train"]
        search = CaseSearch(train, make)
        for how in ("bm25", "embeddings", "hybrid"):
            hits, asked = {1: 0, 2: 0, 5: 0}, 0
            for case in cases:
                wanted = set(CODE.findall(case.answer))
                if not any(wanted & set(CODE.findall(e.answer)) for e in train):
                    continue
                asked += 1
                found = [bool(wanted & set(CODE.findall(e.answer))) for e in search.nearest(case, 5, how)]
                for k in hits:
                    hits[k] += any(found[:k])
            figures = ", ".join(f"@{k} {n / max(1, asked):.2f}" for k, n in hits.items())
            print(f"{task}, {how}: recall {figures} ({asked} cases, {len(train)} examples)")


if __name__ == "__main__":
    main()
