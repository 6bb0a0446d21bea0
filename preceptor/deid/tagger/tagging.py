"""Reading notes with a trained tagger: spans with a type and a score, many notes at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.deid.spans import TAGGER
from preceptor.deid.tagger.calibration import calibrated
from preceptor.deid.tagger.features import COLUMNS, rows
from preceptor.deid.tokens import Token, tokenize
from preceptor.errors import UsageError
from preceptor.records import Span

MODEL = Path(__file__).parent / "model.onnx"
_BATCH_TOKENS = 8192  # of one call, blanks at the ends of shorter notes included
_JOINERS = "-/.:"


class TrainedTagger:
    """A tagger's ONNX file, loaded. `threads`: of ONNX Runtime; processes that share a machine take one each."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        try:
            data = path.read_bytes()
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            properties = self._session.get_modelmeta().custom_metadata_map
            self.labels: list[str] = json.loads(properties["labels"])
            self.facts: dict[str, Any] = json.loads(properties["facts"])
        except Exception:  # noqa: BLE001 - ONNX Runtime raises many kinds
            raise UsageError(
                f"{path}: this is no tagger that `preceptor deid train` has written (rule tagger-file)."
            ) from None
        if self._session.get_inputs()[0].shape[-1] != len(COLUMNS):
            raise UsageError(
                f"{path}: another version of Preceptor has written this tagger; train it again with `preceptor deid train` "
                "(rule tagger-columns)."
            )
        self._scale, self._shift = self.facts.get("calibration", (1.0, 0.0))
        self.digest = hashlib.sha256(data).hexdigest()[:12]
        self._types = [label[2:] for label in self.labels]
        self._kinds = np.array([sorted(set(self._types)).index(kind) for kind in self._types])
        self._names = sorted(set(self._types[1:]))
        self._same_kind = np.array(
            [[kind == name for name in self._names] for kind in self._types[1:]], np.float32
        )
        self._begins = np.array([label[:2] == "B-" for label in self.labels])

    def probabilities(self, texts: Sequence[str]) -> list[np.ndarray]:
        """For each text (tokens, labels): how likely each label is, as the network says it, not calibrated."""
        found: list[np.ndarray] = [np.empty((0, len(self.labels)), np.float32)] * len(texts)
        given = [(n, rows(text, tokens)) for n, text in enumerate(texts) if (tokens := tokenize(text))]
        given.sort(key=lambda pair: len(pair[1]))
        batch: list[tuple[int, np.ndarray]] = []
        for n, features in given:
            if batch and (len(batch) + 1) * len(features) > _BATCH_TOKENS:
                self._run(batch, found)
                batch = []
            batch.append((n, features))
        if batch:
            self._run(batch, found)
        return found

    def _run(self, batch: list[tuple[int, np.ndarray]], found: list[np.ndarray]) -> None:
        longest = max(len(features) for _, features in batch)
        features = np.zeros((len(batch), longest, len(COLUMNS)), np.int32)
        mask = np.zeros((len(batch), longest), np.float32)
        for row, (_, own) in enumerate(batch):
            features[row, : len(own)], mask[row, : len(own)] = own, 1.0
        (out,) = self._session.run(["probabilities"], {"features": features, "mask": mask})
        for row, (n, own) in enumerate(batch):
            found[n] = out[row, : len(own)]

    def spans(self, texts: Sequence[str], threshold: float) -> list[list[Span]]:
        """For each text its spans: runs of tokens that identify with at least this probability, split where a new one
        begins or the type changes. A span's score is that of its most certain token."""
        return [
            self._decoded(text, tokenize(text), p, threshold)
            for text, p in zip(texts, self.probabilities(texts), strict=True)
        ]

    def _decoded(
        self, text: str, tokens: Sequence[Token], probabilities: np.ndarray, threshold: float
    ) -> list[Span]:
        if not len(tokens):
            return []
        identifies = calibrated(1.0 - probabilities[:, 0], self._scale, self._shift)
        best = probabilities[:, 1:].argmax(1) + 1
        chosen = identifies >= threshold
        _fill(text, tokens, chosen, identifies, self._kinds[best], threshold)
        kinds = self._kinds_of(tokens, probabilities, chosen)
        spans: list[Span] = []
        last = -2
        for n in np.flatnonzero(chosen).tolist():
            kind, score = kinds[n], round(float(identifies[n]), 3)
            token = tokens[n]
            anew = self._begins[best[n]] and score > 0.5 and token.start > spans[-1].end if spans else True
            if n == last + 1 and spans[-1].type == kind and not anew:
                before = spans[-1]
                spans[-1] = Span(before.start, token.end, kind, max(before.score, score), TAGGER)
            else:
                spans.append(Span(token.start, token.end, kind, score, TAGGER))
            last = n
        return spans

    def _kinds_of(
        self, tokens: Sequence[Token], probabilities: np.ndarray, chosen: np.ndarray
    ) -> dict[int, str]:
        """The type of each chosen token; tokens without a blank between them are one thing, and vote."""
        kinds: dict[int, str] = {}
        run: list[int] = []
        for n in [*np.flatnonzero(chosen).tolist(), len(tokens)]:
            if run and (n == len(tokens) or n != run[-1] + 1 or tokens[n].start > tokens[run[-1]].end):
                votes = probabilities[run, 1:].sum(0)
                together = votes @ self._same_kind
                kinds.update(dict.fromkeys(run, self._names[int(together.argmax())]))
                run = []
            run.append(n)
        return kinds


def _fill(
    text: str,
    tokens: Sequence[Token],
    chosen: np.ndarray,
    identifies: np.ndarray,
    kinds: np.ndarray,
    threshold: float,
) -> None:
    """Choose also what a found part drags along: the rest of a word or number, and one weaker token in a gap.

    `M558210` and `10-44-8821` are several tokens, and half of a number is still a number.
    """
    last = len(tokens) - 1
    touches = [n < last and tokens[n].end == tokens[n + 1].start for n in range(len(tokens))]
    for n in np.flatnonzero(chosen).tolist():
        for step in (1, -1):
            here = n
            while 0 <= here + step <= last and touches[min(here, here + step)]:
                there = here + step
                if chosen[there]:
                    break
                if not text[tokens[there].start].isalnum():
                    beyond = there + step
                    joined = (
                        0 <= beyond <= last
                        and touches[min(there, beyond)]
                        and text[tokens[there].start] in _JOINERS
                        and text[tokens[beyond].start].isdigit()
                        and text[tokens[here].start].isdigit()
                        and identifies[beyond] >= threshold / 4
                    )
                    if not joined:
                        break
                chosen[there] = True
                identifies[there] = max(identifies[there], identifies[here])
                here = there
    gaps = (
        ~chosen[1:-1]
        & chosen[:-2]
        & chosen[2:]
        & (kinds[:-2] == kinds[2:])
        & (identifies[1:-1] >= threshold / 4)
    )
    chosen[1:-1] |= gaps


@cache
def load_tagger(path: Path = MODEL, threads: int = 1) -> TrainedTagger:
    """The tagger of a file, loaded once in a process."""
    return TrainedTagger(path, threads)
