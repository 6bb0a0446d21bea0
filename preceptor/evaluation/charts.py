"""Plots of estimates with their intervals, as SVG for inside a page: its colours come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, FIGURES, ROW, TOP = 760, 240, 150, 34, 26  # pixels of the drawing


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: a mean with its interval, in points of 100; `kind` is a class of the style sheet."""

    label: str
    mean: float
    low: float
    high: float
    kind: str = "plain"


def forest(bars: Sequence[Bar], *, title: str, signed: bool) -> str:
    """Draw one dot and interval per row, over a common scale. `signed`: a scale around 0, the line of no difference."""
    least = min([0.0, *(bar.low for bar in bars)])
    most = max([0.0, *(bar.high for bar in bars)])
    step = _step(most - least or 1.0)
    first = int(least // step)
    last = max(first + 1, int(-(-most // step)))
    left, right = LABELS, WIDTH - FIGURES
    bottom = TOP + ROW * len(bars)

    def x(value: float) -> float:
        return left + (value - first * step) / ((last - first) * step) * (right - left)

    parts = [
        f'<svg class="forest" viewBox="0 0 {WIDTH} {bottom + 24}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
    ]
    for tick in range(first, last + 1):
        at, kind = x(tick * step), "zero" if tick == 0 and signed else "grid"
        text = f"{tick * step:+g}" if signed and tick else f"{tick * step:g}"
        parts.append(f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{text}</text>')
    for place, bar in enumerate(bars):
        y = TOP + ROW * place + ROW / 2 - 4
        sign = "+" if signed else ""
        figures = f"{bar.mean:{sign}.1f}  ({bar.low:{sign}.1f} to {bar.high:{sign}.1f})"
        parts += [
            f'<text class="label" x="{left - 14}" y="{y + 4:.1f}" text-anchor="end">{escape(bar.label)}</text>',
            f'<g class="{escape(bar.kind)}"><line class="interval" x1="{x(bar.low):.1f}" x2="{x(bar.high):.1f}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/><circle cx="{x(bar.mean):.1f}" cy="{y:.1f}" r="5"/></g>',
            f'<text class="figures" x="{right + 14}" y="{y + 4:.1f}">{figures}</text>',
        ]
    return "".join([*parts, "</svg>"])


def _step(span: float) -> float:
    """The distance of grid lines: 1, 2 or 5 times a power of ten, four to eight of them over the span."""
    return next(s for power in range(-3, 3) for m in (1, 2, 5) if span / (s := m * 10.0**power) <= 8)
