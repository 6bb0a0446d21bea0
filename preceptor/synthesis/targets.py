"""Which examples synthetic rows are made of first: those of the cells that are thin."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from preceptor.curation.balance import groups_of, lacking
from preceptor.records import DeidentifiedDocument, Example


def ranked(
    train: Sequence[Example],
    documents: Mapping[str, DeidentifiedDocument],
    balance: Mapping[str, Mapping[str, Mapping[str, object]]],
    scores: Mapping[str, float],
    failing: Mapping[str, float],
) -> list[Example]:
    """The training examples, those of more thin groups of the declared population first; then by use case in turn, the one
    with the lowest score of the last evaluation first (`scores`, where somebody wants that), else the one with the fewest
    examples; of each those of the specialty that failed most often there (`failing`, by `use case/specialty`), then the shortest
    sources, for a small model loses long ones.
    """
    thin = {(field, group) for field, group, _ in lacking(balance)}
    sizes = Counter(e.task for e in train)
    order = sorted(sizes, key=lambda task: (scores.get(task, 1.0), sizes[task], task))
    turn: dict[str, int] = defaultdict(int)
    keyed = []

    def often(example: Example) -> float:
        return failing.get(f"{example.task}/{example.specialty}", 0.0)

    for example in sorted(train, key=lambda e: (-often(e), len(e.prompt), e.example_id)):
        document = documents.get(example.document_refs[-1]) if thin else None
        needed = len(thin & set(groups_of(document).items())) if document else 0
        keyed.append(((-needed, turn[example.task], order.index(example.task)), example))
        turn[example.task] += 1
    return [example for _, example in sorted(keyed, key=lambda pair: pair[0])]
