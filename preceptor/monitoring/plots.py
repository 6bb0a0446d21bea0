"""Small plots over days, as SVG for inside a page: its colours come from the page's style sheet, bad windows have a shape of
their own besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 170, 52, 10, 12, 24  # pixels of the drawing


@dataclass(frozen=True, slots=True)
class Point:
    """One window, on its last day. `limit`: where it would have been beyond, in units of the value."""

    day: date
    value: float
    reference: float | None
    limit: float | None
    bad: bool


def trend(
    points: Sequence[Point], *, title: str, said: Callable[[float], str], days: tuple[date, date]
) -> str:
    """Values over days, with what is usual (thin line) and the limit (dashed); bad windows are triangles."""
    heights = [v for p in points for v in (p.value, p.reference, p.limit) if v is not None]
    low, high = min([0.0, *heights]), max([0.0, *heights])
    if not high - low:
        high = low + 1.0
    x, y = _across(days), _up(low, high)
    parts = [*_frame(title, low, high, said, days)]
    for name, of in (("usual", [p.reference for p in points]), ("limit", [p.limit for p in points])):
        known = [(p.day, v) for p, v in zip(points, of, strict=True) if v is not None]
        parts.append(_line(name, [(x(d), y(v)) for d, v in known]))
    parts.append(_line("values", [(x(p.day), y(p.value)) for p in points]))
    for p in points:
        at, height = x(p.day), y(p.value)
        told = f"<title>{p.day.isoformat()}: {escape(said(p.value))}</title>"
        if p.bad:
            shape = (
                f"{at:.1f},{height - 6:.1f} {at - 5.5:.1f},{height + 4:.1f} {at + 5.5:.1f},{height + 4:.1f}"
            )
            parts.append(f'<polygon class="bad" points="{shape}">{told}</polygon>')
        else:
            parts.append(f'<circle class="fine" cx="{at:.1f}" cy="{height:.1f}" r="2.6">{told}</circle>')
    return "".join([*parts, "</svg>"])


def bars(rows: Sequence[tuple[date, int, int]], *, title: str, days: tuple[date, date]) -> str:
    """Two counts a day on each other: what went well, and on top, hatched, what did not."""
    most = max([1, *(a + b for _, a, b in rows)])
    x, y = _across(days), _up(0, most)
    width = max(1.0, (WIDTH - LEFT - RIGHT) / ((days[1] - days[0]).days + 1) * 0.8)
    parts = [*_frame(title, 0, most, lambda v: f"{v:.0f}", days)]
    for day, well, badly in rows:
        told = f"<title>{day.isoformat()}: {well} and {badly}</title>"
        for kind, low, high in (("well", 0, well), ("badly", well, well + badly)):
            if high > low:
                parts.append(
                    f'<rect class="{kind}" x="{x(day) - width / 2:.1f}" y="{y(high):.1f}" width="{width:.1f}" '
                    f'height="{y(low) - y(high):.1f}">{told}</rect>'
                )
    return "".join([*parts, "</svg>"])


def _frame(
    title: str, low: float, high: float, said: Callable[[float], str], days: tuple[date, date]
) -> list[str]:
    y = _up(low, high)
    parts = [
        f'<svg class="trend" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
    ]
    for part in (0.0, 0.5, 1.0):
        value = low + part * (high - low)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{escape(said(value))}</text>'
        )
    for day, anchor, at in ((days[0], "start", LEFT), (days[1], "end", WIDTH - RIGHT)):
        parts.append(
            f'<text class="tick" x="{at}" y="{HEIGHT - 6}" text-anchor="{anchor}">{day.isoformat()}</text>'
        )
    return parts


def _across(days: tuple[date, date]) -> Callable[[date], float]:
    span = max(1, (days[1] - days[0]).days)
    inner = WIDTH - LEFT - RIGHT - 12
    return lambda day: LEFT + 6 + (day - days[0]).days / span * inner


def _up(low: float, high: float) -> Callable[[float], float]:
    return lambda value: HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _line(kind: str, points: Sequence[tuple[float, float]]) -> str:
    if len(points) < 2:
        return ""
    return f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
