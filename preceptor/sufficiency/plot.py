"""The learning curves as a small picture: the points, the fits, and where more data would lead."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np


def learning_curve(curve: dict[str, Any], by_task: Mapping[str, dict[str, Any]] | None = None) -> bytes:
    """A PNG of validation loss over training examples: of all use cases together with its fit to four times the data, and
    of each by itself, over its own examples."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    points = curve["points"]
    if points:
        axes.plot(*zip(*points, strict=True), "o", color="black", label="all together")
    if curve["fitted"]:
        sizes = np.geomspace(min(n for n, _ in points), 4 * curve["now"], 60)
        axes.plot(
            sizes,
            curve["floor"] + curve["scale"] * sizes ** -curve["exponent"],
            "-",
            color="black",
            label="power law",
        )
        for times in (2, 4):
            gain = curve[f"gain_x{times}"]
            level = curve["floor"] + curve["scale"] * curve["now"] ** -curve["exponent"]
            axes.plot(
                [times * curve["now"]] * 2,
                [level - gain["high"], level - gain["low"]],
                lw=4,
                alpha=0.4,
                color="black",
            )
    else:
        axes.set_title(curve["why"], fontsize=9)
    for task, own in (by_task or {}).items():
        if own["points"]:
            axes.plot(*zip(*own["points"], strict=True), ".--", lw=1, label=task)
    axes.set_xscale("log")
    axes.set_xlabel("training examples")
    axes.set_ylabel("validation loss")
    if points:
        axes.legend(frameon=False, fontsize=8, bbox_to_anchor=(1, 1), loc="upper left")
    axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()
