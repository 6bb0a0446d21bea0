"""A share of independent trials, with the interval that is right however few they are."""

from __future__ import annotations

from typing import Any

LEVEL = 0.95


def proportion(hits: int, trials: int) -> dict[str, Any]:
    """Return `hits`, `trials`, `share` and its exact 95 % interval (Clopper & Pearson 1934, doi 10.1093/biomet/26.4.404).

    Without a trial the share is None and the interval all there is.
    """
    if not trials:
        return {"hits": 0, "trials": 0, "share": None, "low": 0.0, "high": 1.0}
    from scipy.stats import binomtest

    interval = binomtest(hits, trials).proportion_ci(LEVEL, method="exact")
    return {
        "hits": hits,
        "trials": trials,
        "share": hits / trials,
        "low": float(interval.low),
        "high": float(interval.high),
    }
