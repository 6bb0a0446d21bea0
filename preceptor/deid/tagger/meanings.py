"""What a word's company elsewhere says of it: word vectors, learnt by others from billions of words of the web.

Two hundred notes cannot teach that Fresno is a city and Baclofen a drug; the vectors put each among its kind. They are
the "Explosion Vectors" of spaCy's English models (OSCAR, Wikipedia, OpenSubtitles, WMT News Crawl; CC0), 20,000 rows
for 244,000 words, here with 64 principal components of 300; meanings_build.py made the file.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

FILE = Path(__file__).parent / "word_vectors.npz"
SCALE = 32.0  # the file holds whole numbers, this many to one


@cache
def _table() -> tuple[memoryview, npt.NDArray[np.uint16]]:
    """Sorted hashes of folded words (bisection of a memoryview is several times as fast as NumPy's of one value), and for
    each its rows in lower case and with a capital."""
    with np.load(FILE) as file:
        return memoryview(file["keys"]), file["rows"]


def meaning_rows(plain: str) -> tuple[int, int]:
    """The rows of `vectors` for a folded word, in lower case and with a capital; 0 for a word that has none."""
    keys, rows = _table()
    key = zlib.crc32(plain.encode())
    at = bisect_left(keys, key)
    if at == len(keys) or keys[at] != key:
        return 0, 0
    lower, capital = rows[at].tolist()
    return lower, capital or lower


def vectors() -> npt.NDArray[np.float32]:
    """(20001, 64); row 0 is zeros."""
    with np.load(FILE) as file:
        return file["vectors"].astype(np.float32) / SCALE
