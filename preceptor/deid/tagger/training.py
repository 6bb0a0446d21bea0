"""Training the tagger from annotated notes, again and again about other people and written in other ways."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch
from torch import nn

from preceptor.deid.tagger.disturb import disturb
from preceptor.deid.tagger.features import COLUMNS, TABLES, rows
from preceptor.deid.tagger.lookalikes import with_lookalikes
from preceptor.deid.tagger.network import Tagger
from preceptor.deid.tagger.notes import AnnotatedNote, labelled
from preceptor.deid.tagger.redraw import redraw
from preceptor.deid.types import TYPES
from preceptor.progress import Progress, silent

LABELS = ("O", *(f"{place}-{kind}" for kind in sorted(TYPES) for place in "BI"))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how. One pass sees every note once, redrawn."""

    passes: int = 60
    batch: int = 8  # notes
    rate: float = 2e-3
    width: int = 128
    dropout: float = 0.25
    blanked: float = 0.15  # words whose form the network may not see, so that it learns to do without
    seed: int = 5


def train(notes: Sequence[AnnotatedNote], recipe: Recipe, on_progress: Progress = silent) -> Tagger:
    """Return a network trained on the notes, by one core; the same notes and recipe give the same network on the same
    machine."""
    torch.set_num_threads(1)  # a second one gains a tenth, and loses far more where anybody else works
    torch.manual_seed(recipe.seed)
    draw = Random(recipe.seed)
    network = Tagger(LABELS, recipe.width, dropout=recipe.dropout)
    average = copy.deepcopy(network).eval()
    steps = recipe.passes * math.ceil(len(notes) / recipe.batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps, pct_start=0.1)
    loss_of = nn.CrossEntropyLoss(ignore_index=-1, label_smoothing=0.02)
    network.train()
    step = 0
    for number in range(recipe.passes):
        for batch in _batches(notes, recipe, draw):
            step += 1
            features, mask, wanted = batch
            logits = network(features, mask)
            loss = loss_of(logits.flatten(0, 1), wanted.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            _follow(average, network, min(0.995, step / (step + 10)))
        on_progress(number + 1, recipe.passes)
    return average


def _follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for mine, its in zip(average.parameters(), network.parameters(), strict=True):
            mine.lerp_(its, 1 - keep)


def _batches(notes: Sequence[AnnotatedNote], recipe: Recipe, draw: Random) -> Any:
    """One pass: notes redrawn and disturbed, those of like length together, the batches shuffled."""
    number = {label: n for n, label in enumerate(LABELS)}
    examples = []
    for note in notes:
        text, tokens, labels = labelled(disturb(with_lookalikes(redraw(note.pieces, draw), draw), draw))
        if tokens:
            examples.append((rows(text, tokens), np.array([number[label] for label in labels])))
    examples.sort(key=lambda e: len(e[1]) + draw.random())
    groups = [examples[n : n + recipe.batch] for n in range(0, len(examples), recipe.batch)]
    draw.shuffle(groups)
    for group in groups:
        longest = max(len(labels) for _, labels in group)
        features = np.zeros((len(group), longest, len(COLUMNS)), np.int64)
        wanted = np.full((len(group), longest), -1)
        for n, (found, numbers) in enumerate(group):
            features[n, : len(numbers)], wanted[n, : len(numbers)] = found, numbers
        given = torch.from_numpy(features)
        mask = torch.from_numpy((wanted >= 0).astype(np.float32))
        # Without its form a word has its ends and its shape left, or not even those.
        hidden = torch.rand(given.shape[:2]) < recipe.blanked
        given[..., 0][hidden] = 0
        ends = hidden & (torch.rand(given.shape[:2]) < 0.3)
        given[..., 1][ends] = 0
        given[..., 2][ends] = 0
        unknown = hidden & (torch.rand(given.shape[:2]) < 0.5)
        given[..., len(TABLES) :][unknown] = 0
        yield given, mask, torch.from_numpy(wanted)
