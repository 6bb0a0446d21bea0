"""The loss curve of a training as a small picture."""

from __future__ import annotations

import io
import json

from preceptor.versions import DatasetVersion


def loss_curve(version: DatasetVersion) -> bytes:
    """Return a PNG of training and validation loss over the steps, from the version's training.json."""
    from matplotlib.figure import Figure

    history = json.loads((version.path / "training.json").read_text())["history"]
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    for key, name, style in (("loss", "training", "-"), ("eval_loss", "validation", "o--")):
        points = [(row["step"], row[key]) for row in history if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()
