"""The learning curve as a small picture: the points, the fit, and where more data would lead."""

from __future__ import annotations

import io
from typing import Any

import numpy as np


def learning_curve(curve: dict[str, Any]) -> bytes:
    """A PNG of validation loss over training examples, both axes by size; the fit to four times the data."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    points = curve["points"]
    if points:
        axes.plot(*zip(*points, strict=True), "o", label="measured")
    if curve["fitted"]:
        sizes = np.geomspace(min(n for n, _ in points), 4 * curve["now"], 60)
        axes.plot(
            sizes, curve["floor"] + curve["scale"] * sizes ** -curve["exponent"], "-", label="power law"
        )
        for times in (2, 4):
            gain = curve[f"gain_x{times}"]
            level = curve["floor"] + curve["scale"] * curve["now"] ** -curve["exponent"]
            axes.plot(
                [times * curve["now"]] * 2, [level - gain["high"], level - gain["low"]], lw=4, alpha=0.4
            )
    else:
        axes.set_title(curve["why"], fontsize=9)
    axes.set_xscale("log")
    axes.set_xlabel("training examples")
    axes.set_ylabel("validation loss")
    if points:
        axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()
