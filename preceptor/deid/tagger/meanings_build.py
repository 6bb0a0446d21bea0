"""Make word_vectors.npz out of the vectors of spaCy's en_core_web_md 3.8 (20,000 rows for 685,000 words, CC0):

    python -m preceptor.deid.tagger.meanings_build <folder of the model>/vocab

Needs the model's files only, which are 33 MB and therefore no dependency.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy.strings import hash_string  # type: ignore[attr-defined]

from preceptor.deid.tagger.meanings import FILE, SCALE
from preceptor.deid.tokens import fold

_COMPONENTS = 64


def main(vocab: Path) -> None:
    row_of = srsly.msgpack_loads((vocab / "key2row").read_bytes())
    words: dict[str, list[int]] = {}  # folded: row in lower case, row with a capital; 0 is none
    for word in json.loads((vocab / "strings.json").read_text()):
        row = row_of.get(hash_string(word))
        plain = fold(word)
        if row is None or not plain.isalpha() or not word.isalpha() or len(word) > 24:
            continue
        rows = words.setdefault(plain, [0, 0])
        if word == word.lower():
            rows[0] = row + 1
        elif word == word.capitalize() or not rows[1]:
            rows[1] = row + 1
    keys = np.array([zlib.crc32(word.encode()) for word in words], np.uint32)
    order = np.argsort(keys, kind="stable")
    np.savez_compressed(
        FILE,
        keys=keys[order],
        rows=np.array(list(words.values()), np.uint16)[order],
        vectors=_levels(np.load(vocab / "vectors")),
    )


def _levels(vectors: Any) -> Any:
    """The first principal components of the directions, one standard deviation being `SCALE`; row 0 is zeros."""
    directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    directions = directions - directions.mean(0)
    main_axes = np.linalg.svd(directions.T @ directions)[0][:, :_COMPONENTS]
    components = directions @ main_axes
    levels = np.clip(np.rint(components / components.std() * SCALE), -127, 127).astype(np.int8)
    return np.vstack([np.zeros((1, _COMPONENTS), np.int8), levels])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
