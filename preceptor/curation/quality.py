"""The quality filter: which drafts are worth training on, and by which rule the others are not."""

from __future__ import annotations

import re
from collections.abc import Callable

from preceptor.curation.tasks import Draft
from preceptor.settings import CurationSettings

# Text such as <|im_start|> inside a note would be read as a control token and open a turn of its own.
_CONTROL = re.compile(r"<\|[a-z_]+\|>|</?s>|\[/?INST\]")
_CODE = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return re.findall(r"[a-z0-9]+(?:[.'-][a-z0-9]+)*", text.lower())


def rejection(draft: Draft, settings: CurationSettings) -> str | None:
    """The first rule that a draft breaks, or None."""
    return next((name for name, broken in _RULES.items() if broken(draft, settings)), None)


def _unreadable(draft: Draft, settings: CurationSettings) -> bool:
    # Broken OCR and binary remains: few of the characters are letters, digits, spaces or punctuation of prose.
    odd = sum(
        not (c.isalnum() or c.isspace() or c in ".,;:!?'\"()/-+%<>=&#*@[]{}|~_°±≥≤–—’‘“”•→")
        for c in draft.source
    )
    return odd > 0.05 * max(1, len(draft.source))


def _unsupported_evidence(draft: Draft, settings: CurationSettings) -> bool:
    """Coding answers quote the note; a quote that is not in it would teach to invent."""
    if not draft.task.startswith("coding"):
        return False
    text = " ".join(draft.source.split()).lower()
    for line in draft.answer.splitlines():
        code, _, quotes = line.partition(": ")
        if not _CODE.fullmatch(code):
            return True
        if any(" ".join(q.split()).lower() not in text for q in quotes.split("; ")):
            return True
    return False


_RULES: dict[str, Callable[[Draft, CurationSettings], bool]] = {
    "prompt-too-short": lambda d, s: len(words(d.source)) < s.min_prompt_words,
    "prompt-too-long": lambda d, s: len(words(d.source)) > s.max_prompt_words,
    "answer-too-short": lambda d, s: len(words(d.answer)) < s.min_answer_words,
    "answer-too-long": lambda d, s: len(words(d.answer)) > s.max_answer_words,
    "control-tokens": lambda d, s: bool(_CONTROL.search(d.source) or _CONTROL.search(d.answer)),
    "unreadable-text": _unreadable,
    "answer-longer-than-source": lambda d, s: d.task == "summary" and len(d.answer) > len(d.source),
    "unsupported-evidence": _unsupported_evidence,
}
RULES = tuple(_RULES)
