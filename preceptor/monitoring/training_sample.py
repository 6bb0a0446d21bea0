"""What a version was trained on, as if it had been traffic: so that what is asked can be compared with what was learnt."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

from preceptor.monitoring.windows import Day, Sample
from preceptor.serving.traffic import Served, word_buckets
from preceptor.tables import EXAMPLES, read_examples


def training_sample(data: Path, curated: str) -> Sample | None:
    """The training examples of a curated version as one day; None if it is not here any more, as after an erasure."""
    path = data / "curated" / curated / EXAMPLES
    if not path.exists():
        return None
    examples = [e for e in read_examples(path) if e.split == "train"]
    words: dict[str, Counter[int]] = {"prompt": Counter(), "answer": Counter()}
    rows = []
    for example in examples:
        words["prompt"] += word_buckets(example.prompt)
        words["answer"] += word_buckets(example.answer)
        rows.append(
            Served(
                request_id=example.example_id, at="", endpoint="chat", role="served", pair_of="", version="", alias="",
                key_id="", status=200, outcome="stop", stream=False, task=example.task, note_type="",
                specialty=example.specialty, language="", sex="", age_band="", prompt_tokens=0, new_tokens=0,
                prompt_characters=len(example.prompt), answer_characters=len(example.answer), retrieved=0,
                queue_seconds=0.0, first_token_seconds=0.0, seconds=0.0,
            )
        )  # fmt: skip
    counted = {side: {"": found} for side, found in words.items()}
    return Sample((Day(date.min, tuple(rows), (), counted),))
