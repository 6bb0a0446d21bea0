"""What the monitor's alarms are worth: `python benchmarks/monitoring.py [--quiet-runs 10] [--runs 5] [--volumes 30 100 300]`.

False alarms on days in which nothing changes, and how many days until a change of known size is raised, by requests on a weekday. Days
are simulated (preceptor.monitoring.simulation), judged as `preceptor monitor` does it, with the shipped rules.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from preceptor.monitoring.alarms import RAISED, AlarmStore
from preceptor.monitoring.judging import judge
from preceptor.monitoring.references import References
from preceptor.monitoring.rules import TrafficSettings
from preceptor.monitoring.simulation import Simulation, Truth, shifted
from preceptor.monitoring.windows import SERVICE, Day, MemoryLog, Subject

FIRST, CHAMPION = date(2026, 1, 5), "preceptor/1"  # a Monday
QUIET, BEFORE, AFTER = 100, 21, 42  # days
CHANGES: list[tuple[str, str, dict[str, float]]] = [
    ("errors", "errors from 0.5 to 8 %", {"errors": 0.08}),
    ("errors", "errors from 0.5 to 15 %", {"errors": 0.15}),
    ("leaks", "leaks from 1 to 4 %", {"leaks": 0.04}),
    ("leaks", "leaks from 1 to 8 %", {"leaks": 0.08}),
    ("kept", "kept from 75 to 65 %", {"kept": 0.65}),
    ("kept", "kept from 75 to 60 %", {"kept": 0.60}),
    ("kept", "kept from 75 to 50 %", {"kept": 0.50}),
    ("abstained", "declined from 3 to 20 %", {"abstained": 0.20}),
    ("slow", "twice as slow", {"seconds": 8.0}),
    ("specialty", "20 % new specialty", {"other_cases": 0.20}),
    ("specialty", "40 % new specialty", {"other_cases": 0.40}),
    ("answer_length", "answers half as long again", {"longer_answers": 0.405}),
    ("answer_length", "answers twice as long", {"longer_answers": 0.693}),
    ("gap_sex", "kept 25 points less for women", {"kept_less_for_women": 0.25}),
]


def first_alarms(days: Sequence[Day]) -> list[tuple[str, date]]:
    """What was raised, with the last day of the window that raised it."""
    log, settings = MemoryLog(days), TrafficSettings()
    with tempfile.TemporaryDirectory() as folder:
        store = AlarmStore(Path(folder))
        with store.transaction():
            watched = [SERVICE, Subject("served", CHAMPION)]
            judge(store, log, References(log, settings, CHAMPION), watched, settings, days[-1].date)
        found = [
            (e.measure, date.fromisoformat(e.facts["last"])) for e in store.history() if e.kind == RAISED
        ]
        store.close()
    return found


def quiet(volume: float, runs: int) -> None:
    """After the reference's days, `QUIET` days that are like them."""
    counts: Counter[str] = Counter()
    for seed in range(runs):
        days = list(Simulation(seed, FIRST).days(Truth(volume=volume), 14 + QUIET))
        counts.update(measure for measure, _ in first_alarms(days))
    per_100 = sum(counts.values()) / runs
    by = ", ".join(f"{name} {n}" for name, n in counts.most_common()) or "none"
    print(f"| {volume:.0f} | {runs * QUIET} | {per_100:.2f} | {by} |", flush=True)


def delay(volume: float, measure: str, changes: dict[str, float], runs: int) -> str:
    """The median delay in days and the largest, and how many runs found it at all."""
    found = []
    for seed in range(runs):
        made, usual = Simulation(1000 + seed, FIRST), Truth(volume=volume)
        days = list(made.days(usual, BEFORE))
        days += made.days(shifted(usual, **changes), AFTER)
        begin = days[BEFORE].date
        delays = [
            (day - begin).days + 1 for name, day in first_alarms(days) if name == measure and day >= begin
        ]
        found += delays[:1]
    if not found:
        return f"not in {AFTER}"
    missed = f", {len(found)}/{runs}" if len(found) < runs else ""
    return f"{statistics.median(found):g} ({max(found)}{missed})"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--quiet-runs", type=int, default=10, help="of 100 days each")
    options.add_argument("--runs", type=int, default=5, help="of each change")
    options.add_argument("--volumes", type=float, nargs="+", default=[30.0, 100.0, 300.0])
    given = options.parse_args()
    print(
        "| requests on a weekday | quiet days | false alarms in 100 days, all 23 measures | which |\n|---|---|---|---|"
    )
    for volume in given.volumes if given.quiet_runs else ():
        quiet(volume, given.quiet_runs)
    header = " | ".join(f"{v:.0f} a weekday" for v in given.volumes)
    print(f"\nDays until it is raised: median (longest) of {given.runs} runs\n")
    print(f"| change | {header} |\n|---|" + "---|" * len(given.volumes))
    for measure, title, changes in CHANGES:
        cells = [delay(volume, measure, changes, given.runs) for volume in given.volumes]
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
