"""The reliability plot, as SVG for inside a page: its colours come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

SIZE, LEFT, TOP, BOTTOM = 260, 40, 10, 40  # pixels of the square and of the room around it
LARGEST, SMALLEST = 11.0, 2.5  # radius of the dot for all cases, and the least that can be seen


def reliability(arm: Mapping[str, Any]) -> str:
    """Draw one dot per bin of an arm's facts: mean confidence across, share right upwards, its area the number of cases
    (Guo et al. 2017, figure 1, with dots for bars)."""
    total = sum(one["cases"] for one in arm["bins"])
    title = f"Reliability of the {arm['label']}: expected calibration error {arm['ece']:.3f}"

    def x(value: float) -> float:
        return LEFT + value * SIZE

    def y(value: float) -> float:
        return TOP + (1 - value) * SIZE

    width, height = LEFT + SIZE + 16, TOP + SIZE + BOTTOM
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" style="max-width:22rem;width:100%;'
        f'height:auto;display:block;font-size:12px"><title>{escape(title)}</title>'
    ]
    for tick in range(0, 101, 25):
        at = tick / 100
        parts.append(
            f'<line class="grid" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y(0):.1f}" y2="{y(1):.1f}"/>'
        )
        parts.append(
            f'<line class="grid" x1="{x(0):.1f}" x2="{x(1):.1f}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{x(at):.1f}" y="{y(0) + 16:.1f}" text-anchor="middle">{tick}</text>'
        )
        parts.append(
            f'<text class="tick" x="{x(0) - 6:.1f}" y="{y(at) + 4:.1f}" text-anchor="end">{tick}</text>'
        )
    parts.append(f'<line class="zero" x1="{x(0):.1f}" y1="{y(0):.1f}" x2="{x(1):.1f}" y2="{y(1):.1f}"/>')
    for one in arm["bins"]:
        radius = max(SMALLEST, LARGEST * (one["cases"] / total) ** 0.5)
        said = f"{one['cases']} cases: confidence {100 * one['confidence']:.0f}, right {100 * one['accuracy']:.0f}"
        parts.append(
            f'<circle class="ours" fill-opacity=".75" cx="{x(one["confidence"]):.1f}" cy="{y(one["accuracy"]):.1f}" '
            f'r="{radius:.1f}"><title>{said}</title></circle>'
        )
    parts.append(
        f'<text class="tick" x="{x(0.5):.1f}" y="{height - 4}" text-anchor="middle">confidence, % (across) · right, % (upwards)</text></svg>'
    )
    return "".join(parts)
