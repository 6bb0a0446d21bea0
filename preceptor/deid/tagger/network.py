"""The network: feature tables and word vectors, added up, then dilated convolutions over the tokens of a note, then labels.

After Strubell et al. 2017 (iterated dilated convolutions for entity recognition). A token's label depends on about
thirty tokens on each side, whatever the note's length, so notes are read in batches and in linear time.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from preceptor.deid.tagger.features import TABLES, VECTOR_COLUMNS
from preceptor.deid.tagger.meanings import vectors


class Tagger(nn.Module):
    """(notes, tokens, 8) features and (notes, tokens) mask in, (notes, tokens, labels) logits out."""

    def __init__(
        self,
        labels: Sequence[str],
        width: int = 96,
        dilations: Sequence[int] = (1, 2, 4, 8, 1),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.labels, self.dilations = tuple(labels), tuple(dilations)
        self.tables = nn.ModuleList(_table(size, width) for size in TABLES.values())
        # The vectors stay as they are: trained along, they would fit the few words of the notes and no longer say what those
        # words have in common with others (measured: worse on held-out patients).
        known = torch.from_numpy(vectors())
        self.meanings = nn.Embedding.from_pretrained(known, freeze=True, padding_idx=0)
        self.meant = nn.ModuleList(nn.Linear(known.shape[1], width, bias=False) for _ in VECTOR_COLUMNS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation) for dilation in self.dilations
        )
        self.mixers = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in self.dilations)
        self.head = nn.Conv1d(width, len(self.labels), 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        added = sum(table(features[..., n]) for n, table in enumerate(self.tables))
        for n, linear in enumerate(self.meant, len(self.tables)):
            added = added + linear(self.meanings(features[..., n]))
        inside = mask.unsqueeze(1)
        x = self.dropout(torch.relu(added)).transpose(1, 2) * inside
        for convolution, mixer in zip(self.convolutions, self.mixers, strict=True):
            x = (x + mixer(self.dropout(torch.relu(convolution(x))))) * inside
        return self.head(torch.relu(x)).transpose(1, 2)


def _table(size: int, width: int) -> nn.Embedding:
    table = nn.Embedding(size, width, padding_idx=0)
    nn.init.normal_(table.weight, std=0.3)
    table.weight.data[0] = 0
    return table
