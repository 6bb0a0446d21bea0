"""The split by patient: all of a patient's examples are in one split, and stay there for ever.

A register keeps who is where. New patients are added to it, none is ever moved: a model trained on last month's
data is then never tested on what it has seen. The test split is frozen with the first assignment: later patients join it
only by an explicit command (`preceptor data grow-test`), so that this month's scores compare with last month's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from preceptor.versions import write_atomic

SPLITS = ("train", "validation", "test")


def assign(
    strata: Mapping[str, str],
    known: Mapping[str, str],
    test: float,
    validation: float,
    grow_test: bool = False,
    last_seen: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the split of every patient: known ones where they were, new ones so that each stratum keeps the shares.

    `strata` maps a patient to a group (the rarest task it has) that should be in every split. New patients of a
    stratum come in the order of a hash of their reference, which nobody chooses; each goes to the split that is
    furthest below its share, so that also a small stratum reaches the test split. Where anybody is known, the test split
    takes nobody, unless it is to grow.

    With `last_seen` (a year; none or an empty one: unknown, and taken to be long ago) the places go by time instead: of a
    stratum's new patients those seen last are tested on, those before them validate, and the others train.
    """
    result = dict(known)
    counts: dict[str, dict[str, int]] = {}
    for patient in set(strata) & set(known):
        counts.setdefault(strata[patient], dict.fromkeys(SPLITS, 0))[known[patient]] += 1
    new: dict[str, list[str]] = {}
    for patient in sorted(set(strata) - set(known), key=lambda p: hashlib.sha256(p.encode()).digest()):
        new.setdefault(strata[patient], []).append(patient)
    shares = {"test": test, "validation": validation, "train": 1 - test - validation}
    open_to = shares if grow_test or not known else {s: shares[s] for s in ("validation", "train")}
    for stratum, patients in new.items():
        count = counts.setdefault(stratum, dict.fromkeys(SPLITS, 0))
        places = []
        for _ in patients:
            total = sum(count.values()) + 1
            split = max(open_to, key=lambda s: (shares[s] * total - count[s], s == "train"))
            places.append(split)
            count[split] += 1
        if last_seen is not None:
            patients.sort(key=lambda p: last_seen.get(p, ""))
            places.sort(key=SPLITS.index)
        result |= dict(zip(patients, places, strict=True))
    return result


def load_register(path: Path) -> dict[str, str]:
    """The register of earlier assignments, patient reference → split; empty if there is none yet."""
    return json.loads(path.read_text()) if path.exists() else {}


def save_register(path: Path, register: Mapping[str, str]) -> None:
    """Replace the register, whole or not at all."""
    write_atomic(path, json.dumps(dict(sorted(register.items())), indent=0))
