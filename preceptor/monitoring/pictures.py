"""The traffic report as one small picture, for the metadata of its asset; the page has plots of every measure."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date
from typing import Any

from preceptor.monitoring.readings import WRITTEN


def overview(facts: Mapping[str, Any]) -> bytes:
    """A PNG: requests of the service by day, the champion's slowest answers, and the share of its drafts that was kept."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    service = facts["subjects"]["service"]
    champion = facts["subjects"].get(facts["champion"], service)
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    volume, slow, kept = figure.subplots(1, 3)
    days = [date.fromisoformat(day["day"]) for day in service["by_day"]]
    well = [sum(n for o, n in day["outcomes"].items() if o in WRITTEN) for day in service["by_day"]]
    all_of = [sum(day["outcomes"].values()) for day in service["by_day"]]
    volume.bar(days, all_of, color="0.75", hatch="///", label="ended badly or early")
    volume.bar(days, well, color="tab:cyan", label="answered")
    volume.set_title("requests by day", fontsize=9)
    volume.legend(frameon=False, fontsize=7)
    for axes, name, title in (
        (slow, "slow", "seconds, 95th percentile"),
        (kept, "kept", "share of the draft kept"),
    ):
        found = champion["measures"].get(name, {"windows": []})["windows"]
        good, bad = ([w for w in found if w["bad"] == which] for which in (False, True))
        for some, mark, colour in ((good, "o", "tab:cyan"), (bad, "^", "tab:red")):
            axes.plot(
                [date.fromisoformat(w["last"]) for w in some], [w["value"] for w in some], mark, color=colour
            )
        axes.set_ylim(bottom=0)
        axes.set_title(title, fontsize=9)
    for axes in (volume, slow, kept):
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()
