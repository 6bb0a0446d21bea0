"""Overlap with held-out text, the test split or a benchmark: runs of words, and the same in other words."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from preceptor.curation.quality import words
from preceptor.curation.resemblance import Resemblance
from preceptor.curation.shingles import Shingles, runs
from preceptor.errors import UsageError
from preceptor.records import Example
from preceptor.settings import CurationSettings, resolve_path

_LONG = 4  # runs of words without a gap: a copied paragraph, however long the rest
_HALF = 0.5  # of a text: too much even where all of it is phrases
_PHRASE = 5  # patients whose notes have a run: everybody says it
Text = Sequence[str]  # in its parts: source, answer


class HeldOut:
    """Held-out texts, against which others are compared.

    What counts of a text are its words in runs of `decontamination_ngram` that a held-out text has, too (Brown et al. 2020,
    GPT-3, appendix C); as there, runs that are common do not count: those of `corpus` (patient, text) in which five
    patients have them. Clinical notes are full of them: "the patient understands and agrees with the recommended medical
    treatment plan" is in half of ACI-Bench's, and a greeting by script in a quarter of PriMock57's consultations.
    """

    def __init__(
        self, texts: Iterable[str], corpus: Iterable[tuple[str, Text]], settings: CurationSettings
    ) -> None:
        self._n, self._share = settings.decontamination_ngram, settings.decontamination_share
        held_out, others = list(texts), list(corpus)
        parts = [np.unique(runs(text, self._n)) for text in held_out if len(words(text)) >= self._n]
        self._runs = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
        self._rare = self._patients(others) < _PHRASE
        self._resemblance = Resemblance(
            held_out, (part for _, text in others for part in text), settings.decontamination_similarity
        )

    @classmethod
    def of_examples(
        cls,
        examples: Sequence[Example],
        settings: CurationSettings,
        removed: Iterable[Mapping[str, Any]] = (),
    ) -> HeldOut:
        """The test cases among the examples of a version. What is a phrase is counted in all of them, and in what the
        version `removed` (the rows of `read_removed`), but for near-duplicates."""
        corpus: list[tuple[str, Text]] = [(e.patient_ref, (e.source, e.answer)) for e in examples]
        corpus += [
            (row["patient_ref"], (row["prompt"].partition("\n\n")[2], row["answer"]))
            for row in removed
            if row["rule"] != "near-duplicate"
        ]
        cases = (text for e in examples if e.split == "test" for text in (e.source, e.answer))
        return cls(cases, corpus, settings)

    def too_much_in(self, text: Text) -> bool:
        """Whether a text has too much of them in one of its parts: `decontamination_share` of it or four times the run
        in words, or half of it where phrases count."""
        return len(self._runs) > 0 and any(self._too_much(part) for part in text)

    def resembled_by(self, text: Text) -> bool:
        """Whether one of its parts says nearly the same as one of them in other words (`resemblance`)."""
        return self._resemblance.find([text])[0]

    def resembled_by_each(self, texts: Sequence[Text]) -> list[bool]:
        """The same of many, which is faster than one by one."""
        return self._resemblance.find(texts)

    def given_away_by(self, text: Text) -> bool:
        """Either of both."""
        return self.too_much_in(text) or self.resembled_by(text)

    def _patients(self, corpus: Iterable[tuple[str, Text]]) -> npt.NDArray[np.int64]:
        """For each run how many patients have it."""
        counts = np.zeros(len(self._runs), np.int64)
        for _, texts in groupby(sorted(corpus, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
            found = [self._places(part) for _, text in texts for part in text]
            has = np.unique(np.concatenate(found))
            counts[has[has >= 0]] += 1
        return counts

    def _places(self, part: str) -> npt.NDArray[np.int64]:
        """For each run of a text, in its order, its place among the held-out ones; -1 where they lack it."""
        if not len(self._runs):
            return np.empty(0, np.int64)
        mine: Shingles = runs(part, self._n)
        places = np.minimum(np.searchsorted(self._runs, mine), len(self._runs) - 1)
        return np.where(self._runs[places] == mine, places, -1)

    def _too_much(self, part: str) -> bool:
        places = self._places(part)
        shared = places >= 0
        if not shared.any():
            return False
        length = len(places) + self._n - 1  # words
        rare = self._covered(shared & self._rare[places])
        return bool(
            (rare and rare >= min(self._share * length, _LONG * self._n))
            or self._covered(shared) >= _HALF * length
        )

    def _covered(self, shared: npt.NDArray[np.bool_]) -> int:
        """The words in these runs: a run covers its first word and the n - 1 that follow."""
        return int((np.convolve(shared, np.ones(self._n, int)) > 0).sum())


def benchmark_texts(files: Iterable[str]) -> Iterator[str]:
    """Every text of the cases of benchmarks: JSON Lines, plain or in gzip, texts at any depth.

    Raises `UsageError` for a file that is missing or not that.
    """
    for name in files:
        path = resolve_path(name)
        try:
            with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
                for line in stream:
                    yield from _texts(json.loads(line) if line.strip() else None)
        except FileNotFoundError:
            raise UsageError(
                f"{path}: this benchmark of curation.decontaminate_against is not there (rule benchmark-missing)."
            ) from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError):
            raise UsageError(f"{path}: a benchmark is JSON Lines (rule benchmark-not-jsonl).") from None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
