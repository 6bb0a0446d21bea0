"""Selection at the door: which documents are wanted at all, by rules that the settings hold."""

from __future__ import annotations

from fnmatch import fnmatchcase

from preceptor.language import language
from preceptor.settings import DatesRule, NamesRule, SelectionSettings


def rule_broken(
    rules: SelectionSettings,
    *,
    text: str,
    note_type: str | None,
    specialty: str | None,
    author_role: str | None,
    date: str | None,
) -> str | None:
    """Return the first rule that a document breaks, or None: `note-type`, `specialty`, `author-role`, `date`,
    `words`, `language`. With `-unknown` behind it the document does not say."""
    named = (
        ("note-type", rules.note_types, note_type),
        ("specialty", rules.specialties, specialty),
        ("author-role", rules.author_roles, author_role),
    )
    for rule, names, value in named:
        broken = _name(rule, names, value, rules)
        if broken:
            return broken
    broken = _date(rules.dates, date, rules)
    if broken:
        return broken
    if not rules.words.min <= len(text.split()) <= rules.words.max:
        return "words"
    if rules.languages.only or rules.languages.never:
        return _name("language", rules.languages, language(text), rules)
    return None


def _name(rule: str, names: NamesRule, value: str | None, rules: SelectionSettings) -> str | None:
    if not names.only and not names.never:
        return None
    if value is None:
        return f"{rule}-unknown" if rules.unknown == "refuse" else None
    said = value.lower()
    if any(fnmatchcase(said, pattern.lower()) for pattern in names.never):
        return rule
    if names.only and not any(fnmatchcase(said, pattern.lower()) for pattern in names.only):
        return rule
    return None


def _date(dates: DatesRule, value: str | None, rules: SelectionSettings) -> str | None:
    """A date that lacks its day or month is wanted only if every day that it may be is."""
    if dates.since is None and dates.until is None:
        return None
    if value is None or not value[:4].isdigit():
        return "date-unknown" if rules.unknown == "refuse" else None
    first, last = (value + "-01-01")[:10] if len(value) == 4 else (value + "-01")[:10], value
    last = {4: value + "-12-31", 7: value + "-31"}.get(len(value), value[:10])
    if dates.since and first < dates.since.isoformat():
        return "date"
    if dates.until and last > dates.until.isoformat():
        return "date"
    return None
