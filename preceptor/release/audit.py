"""Whether the registry still says what the record says; the record itself is checked by `Store.verify`."""

from __future__ import annotations

from preceptor.errors import PreceptorError
from preceptor.release.chain import Problem
from preceptor.release.intents import champions, unfinished
from preceptor.release.registry import CHAMPION, Tracking, check_files, list_versions
from preceptor.release.standing import standing
from preceptor.release.store import Store


def audit(tracking: Tracking, store: Store) -> list[Problem]:
    """Compare every version's tags, files and the champion alias with the record; empty if all agree.

    Call it on an intact record only.
    """
    problems = []
    present = {info.ref: info for info in list_versions(tracking)}
    for event in store.events(kinds=("registered",)):
        if event.subject not in present:
            problems.append(
                Problem(event.subject, "version-missing", "is recorded, but not in the registry.")
            )
    for ref, info in present.items():
        registered = standing(store, ref).registered
        if registered is None:
            problems.append(Problem(ref, "version-unknown", "is in the registry, but not in the record."))
            continue
        for key, now in (("digest", info.digest), ("run_id", info.run_id), ("evaluation", info.evaluation)):
            if registered.payload[key] != now:
                problems.append(
                    Problem(ref, f"tag-{key}", f"its {key} in the registry is not the recorded one.")
                )
        try:
            check_files(tracking, info)
        except PreceptorError as error:
            problems.append(Problem(ref, "files", str(error)))
    for name in sorted({info.name for info in present.values()}):
        line = champions(store, name)
        recorded = f"{name}/{line[-1]}" if line else None
        champion = next(
            (ref for ref, info in present.items() if info.name == name and CHAMPION in info.aliases), None
        )
        if champion != recorded and unfinished(store, name) is None:
            problems.append(
                Problem(
                    f"{name}@{CHAMPION}",
                    "alias",
                    f"is {champion or 'nobody'}, recorded is {recorded or 'nobody'}.",
                )
            )
    return problems
