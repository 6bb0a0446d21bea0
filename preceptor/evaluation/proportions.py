"""Shares of independent trials and pairs, exact however few they are."""

from __future__ import annotations

from typing import Any

LEVEL = 0.95


def sign_test(more: int, fewer: int) -> float:
    """The two-sided p-value of so many pairs of which one side had more, against as many that had fewer; 1 where there are none.

    Exact: without a difference each pair falls to either side like a fair coin. Ties do not count.
    """
    if more + fewer == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(more, more + fewer, 0.5).pvalue)


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
