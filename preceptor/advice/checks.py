"""The hard constraints of a recommendation: each a check that says what it found, and what would change it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from preceptor.advice.needs import Needs
from preceptor.models import CatalogueEntry, Licence


@dataclass(frozen=True, slots=True)
class Check:
    """`passed` is None where what would decide it is not known: that keeps nobody out, and is said. `change`: what would
    let it pass; empty where nothing would."""

    rule: str
    passed: bool | None
    said: str
    change: str = ""


def licence(entry: CatalogueEntry, licences: dict[str, Licence], needs: Needs) -> Check:
    """Whether the licence allows what is needed. An unknown licence passes only where any will do."""
    known = licences.get(entry.licence)
    if needs.licence == "any":
        return Check("licence", True, f"{entry.licence}; any licence will do.")
    if known is None or (known.commercial is None and needs.licence == "commercial"):
        return Check(
            "licence",
            False,
            f"What {entry.licence} allows is not known here.",
            "have it read, and put it into recipes/licences.yaml",
        )
    if needs.licence == "open":
        said = f"{entry.licence}: {'no rules' if known.open else 'rules'} about use."
        return Check("licence", known.open, said, "" if known.open else "--licence commercial")
    allows = bool(known.commercial)
    said = f"{entry.licence}: commercial use is {'allowed' if allows else 'not allowed'}."
    return Check("licence", allows, said, "" if allows else "--licence any, for research that stays research")


def languages(named: tuple[str, ...] | None, more: bool, needs: Needs) -> Check:
    """Whether the makers name every language that is needed."""
    if named is None:
        return Check("languages", None, "Its languages are not known here.")
    missing = [language for language in needs.languages if language not in named]
    if not missing:
        return Check("languages", True, f"Its makers name {_listed(needs.languages)}.")
    if more:
        said = (
            f"Its makers do not name {_listed(missing)}, but speak of more languages than they name: try it."
        )
        return Check("languages", None, said)
    return Check(
        "languages",
        False,
        f"Its makers do not name {_listed(missing)}.",
        f"do without {_listed(missing)}, or evaluate it in that language first",
    )


def context(size: int | None, needs: Needs) -> Check:
    """Whether a prompt and its answer fit into the context."""
    wanted = needs.load.prompt + needs.load.answer
    if size is None:
        return Check("context", None, "Its context is not known here.")
    said = f"{wanted:,} tokens of prompt and answer, {size:,} of context."
    fits = wanted <= size
    return Check(
        "context", fits, said, "" if fits else f"prompts of {max(0, size - needs.load.answer):,} tokens"
    )


def budget(month: float | None, needs: Needs, what: str) -> Check:
    """Whether it stays within the money."""
    if month is None:
        return Check("budget", None, f"What {what} costs is not known here.")
    said = f"{dollars(month)} a month for {what}."
    if needs.budget is None or month <= needs.budget:
        return Check("budget", True, said)
    return Check("budget", False, f"{said} {dollars(needs.budget)} are there.", f"{dollars(month)} a month")


def refused(checks: Iterable[Check]) -> Iterator[Check]:
    """Those that keep a model out."""
    return (check for check in checks if check.passed is False)


def dollars(amount: float) -> str:
    """An amount as people write it."""
    return f"${amount:,.2f}" if amount < 10 else f"${amount:,.0f}"


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)
