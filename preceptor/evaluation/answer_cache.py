"""Finished answers on disk, so that an evaluation that was killed goes on where it stopped. Amber: holds answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from preceptor.versions import digest, write_atomic


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote. `finished` is False if it was cut off at the limit of new tokens; `seconds` is its
    share of the time that the batch took, reading the prompt included."""

    text: str
    prompt_tokens: int
    new_tokens: int
    finished: bool
    seconds: float


class AnswerCache:
    """Answers by key, the digest of everything that decides them. A shard is written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._answers: dict[str, Answer] = {}
        for shard in sorted(folder.glob("*.jsonl")):
            with shard.open(encoding="utf-8") as lines:  # splitlines would also split at U+2028 in an answer
                for line in lines:
                    row = json.loads(line)
                    key = row.pop("key")
                    self._answers[key] = Answer(**row)

    def __contains__(self, key: str) -> bool:
        return key in self._answers

    def __getitem__(self, key: str) -> Answer:
        return self._answers[key]

    def add(self, answers: Mapping[str, Answer]) -> None:
        """Keep these answers, in one new shard."""
        if not answers:
            return
        self._answers.update(answers)
        lines = _lines(answers.items())
        write_atomic(self.folder / f"{digest(sorted(answers))[:24]}.jsonl", "".join(lines))


def _lines(answers: Iterable[tuple[str, Answer]]) -> list[str]:
    return [json.dumps({"key": key, **asdict(answer)}, ensure_ascii=False) + "\n" for key, answer in answers]
