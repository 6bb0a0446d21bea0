"""The traffic report as one HTML page without any reference to outside. Green, like its facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from preceptor.monitoring.alarms import shown
from preceptor.monitoring.measures import MEASURES
from preceptor.monitoring.plots import Point, bars, trend
from preceptor.monitoring.readings import NO_REFERENCE, TOO_FEW, WRITTEN

_TEMPLATE = Path(__file__).parent / "templates" / "traffic.html.j2"
MISSING = {TOO_FEW: "too few yet", NO_REFERENCE: "nothing to compare with yet"}


def render(facts: Mapping[str, Any]) -> str:
    """The report as HTML."""
    return _template().render(
        facts=facts,
        subjects=[
            {
                **subject,
                "name": name,
                "heading": heading(subject, facts["champion"]),
                "plots": plots(subject),
                "rows": [row(measure, found) for measure, found in subject["measures"].items()],
            }
            for name, subject in facts["subjects"].items()
        ],
        shown=shown,
    )


def heading(subject: Mapping[str, Any], champion: str | None) -> str:
    """What a subject is called above its numbers."""
    role, version = subject["role"], subject["version"]
    if role == "service":
        return "The service: all that was asked"
    if role == "served":
        return f"Champion {version}" if version == champion else f"{version}, not the champion now"
    return f"{role.capitalize()} {version}"


def row(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """One measure as the table shows it."""
    kind = "worse" if found["raised"] else "open" if found["bad_in_a_row"] else "better"
    missing = MISSING.get(found["missing"], "")
    mark = {"worse": "▲ alarm", "open": "◆ bad window", "better": "● usual"}[kind]
    if kind == "better" and (missing or not found["alarm"]):
        kind, mark = "plain", missing or "no alarm set"
    unit = found["unit"]
    by_score = unit in ("index", "difference")  # value and reference say less than how far they are apart
    return {
        "title": found["title"] + (f" ({found['detail']})" if found["detail"] else ""),
        "value": shown(found["score"] if by_score else found["value"], unit),
        "usual": "" if by_score else shown(found["reference"], unit),
        "limit": limit_text(name, found),
        "n": found["n"],
        "kind": kind,
        "mark": mark,
    }


def limit_text(name: str, found: Mapping[str, Any]) -> str:
    """A rule's limit in words."""
    limit, unit = found["limit"], found["unit"]
    if name == "volume":
        return f"× or ÷ {2**limit:.3g}"
    match MEASURES[name].worse:
        case "times":
            return f"+{100 * limit:.0f} %"
        case "up" | "down" if found["relative"]:
            sign = "+" if MEASURES[name].worse == "up" else "−"
            return f"{sign}{100 * limit:g} points" if unit == "share" else f"{sign}{limit:g}"
    return shown(limit, unit)


def plots(subject: Mapping[str, Any]) -> list[dict[str, str]]:
    """A plot for the requests by day, and for each measure that has at least two windows."""
    days = [date.fromisoformat(day["day"]) for day in subject["by_day"]]
    if not days:
        return []
    span = (days[0], days[-1])
    counts = [
        (
            day,
            sum(n for outcome, n in facts["outcomes"].items() if outcome in WRITTEN),
            sum(n for outcome, n in facts["outcomes"].items() if outcome not in WRITTEN),
        )
        for day, facts in zip(days, subject["by_day"], strict=True)
    ]
    drawn = [{"title": "Requests by day", "svg": bars(counts, title="Requests by day", days=span)}]
    for name, found in subject["measures"].items():
        points = [_point(name, found, window) for window in found["windows"]]
        if name == "volume" or len(points) < 2:
            continue
        unit = found["unit"]
        svg = trend(points, title=found["title"], said=lambda v, unit=unit: shown(v, unit), days=span)  # type: ignore[misc]
        drawn.append({"title": found["title"], "svg": svg})
    return drawn


def _point(name: str, found: Mapping[str, Any], window: Mapping[str, Any]) -> Point:
    """A window in units of the value; of an index or a difference, the score."""
    limit, worse = found["limit"], MEASURES[name].worse
    day = date.fromisoformat(window["last"])
    if worse == "score":
        return Point(day, window["score"], None, limit, window["bad"])
    usual = window["reference"]
    if not found["relative"]:
        return Point(day, window["value"], None, limit, window["bad"])
    beyond = {"up": usual + limit, "down": usual - limit, "times": usual * (1 + limit)}[worse]
    return Point(day, window["value"], usual, beyond, window["bad"])


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters["svg"] = Markup  # only for our own drawings, whose labels are escaped
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
