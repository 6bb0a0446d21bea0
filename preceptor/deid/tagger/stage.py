"""The stage that trains the tagger: annotated notes in, a version of the tagger with its card out."""

from __future__ import annotations

import collections
import dataclasses
import json
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.deid import VERSION
from preceptor.deid.tagger import calibration
from preceptor.deid.tagger.chosen import FILE, STAGE
from preceptor.deid.tagger.evaluating import evaluate
from preceptor.deid.tagger.exporting import onnx_bytes
from preceptor.deid.tagger.notes import AnnotatedNote, labelled
from preceptor.deid.tagger.tagging import TrainedTagger
from preceptor.deid.tagger.training import Recipe, train
from preceptor.progress import Progress, silent
from preceptor.versions import DatasetVersion, digest, make_version, write_atomic

CARD = "card.json"
_FOLDS = 6  # one patient in so many is held out


def make_tagger(
    root: Path,
    notes: Sequence[AnnotatedNote],
    recipe: Recipe,
    on_progress: Progress = silent,
) -> DatasetVersion:
    """Train a tagger twice: without the held-out patients, to measure and calibrate it, and on all notes.

    The version holds model.onnx and card.json: what it was trained on and what the first of the two scored on patients
    that it had not seen. Nothing in either is text of a note.
    """

    def write(folder: Path) -> dict[str, Any]:
        held = [note for note in notes if is_held_out(note)]
        rest = [note for note in notes if not is_held_out(note)]
        # The other one at the same time, in a process of its own.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
            kept = beside.submit(train, notes, recipe)
            network = train(rest, recipe, on_progress)
            final = kept.result()
        write_atomic(folder / "measured.onnx", onnx_bytes(network, {}))
        raw = TrainedTagger(folder / "measured.onnx")
        fitted, error_before, error_after = _calibration(raw, held)
        facts = {"calibration": fitted, "notes": len(notes), "trained": digest(_content(notes))[:12]}
        write_atomic(folder / "measured.onnx", onnx_bytes(network, facts))
        held_out = evaluate(TrainedTagger(folder / "measured.onnx"), held)
        (folder / "measured.onnx").unlink()
        write_atomic(folder / FILE, onnx_bytes(final, facts))
        card = {
            "trained_on": counts(notes),
            "held_out": counts(held),
            "recipe": dataclasses.asdict(recipe),
            "calibration": {"scale": fitted[0], "shift": fitted[1], "error before": error_before, "error after": error_after},
            "measured": "on the held-out patients, by a network trained without them; the one kept is trained on all",
            "tagger_alone": held_out,
        }  # fmt: skip
        write_atomic(folder / CARD, json.dumps(card, indent=1) + "\n")
        return card

    return make_version(
        root,
        STAGE,
        inputs={"notes": digest(_content(notes))},
        config=dataclasses.asdict(recipe),
        code=VERSION,
        write=write,
    )


def is_held_out(note: AnnotatedNote) -> bool:
    """Whether a note belongs to the patients that the measured network does not see."""
    return zlib.crc32(note.patient.encode()) % _FOLDS == 0


def counts(notes: Sequence[AnnotatedNote]) -> dict[str, Any]:
    """How many notes, patients, words and spans of each type."""
    spans = collections.Counter(piece.type for note in notes for piece in note.pieces if piece.type)
    return {
        "notes": len(notes),
        "patients": len({note.patient for note in notes}),
        "words": sum(len(note.text.split()) for note in notes),
        "spans": sum(spans.values()),
        "by_type": dict(spans.most_common()),
    }


def _content(notes: Sequence[AnnotatedNote]) -> list[Any]:
    return [[note.note_id, note.patient, [list(piece) for piece in note.pieces]] for note in notes]


def _calibration(
    tagger: TrainedTagger, notes: Sequence[AnnotatedNote]
) -> tuple[tuple[float, float], float, float]:
    found, truth = [], []
    for note, p in zip(notes, tagger.probabilities([n.text for n in notes]), strict=True):
        labels = labelled(note.pieces)[2]
        found.append(1 - p[:, 0])
        truth.append(np.array([label != "O" for label in labels]))
    said, right = np.concatenate(found), np.concatenate(truth)
    scale, shift = calibration.fit(said, right)
    after = calibration.calibrated(said, scale, shift)
    return (
        (round(scale, 4), round(shift, 4)),
        round(calibration.expected_error(said, right), 4),
        round(calibration.expected_error(after, right), 4),
    )
