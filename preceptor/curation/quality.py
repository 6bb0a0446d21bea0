"""The quality filter: which drafts are worth training on, and by which rule the others are not."""

from __future__ import annotations

import re
from collections.abc import Callable

from preceptor import icd10
from preceptor.curation import support
from preceptor.curation.sections import sections
from preceptor.curation.tasks import Draft
from preceptor.language import language
from preceptor.settings import CurationSettings

# Text such as <|im_start|> inside a note would be read as a control token and open a turn of its own.
_CONTROL = re.compile(r"<\|[a-z_]+\|>|</?s>|\[/?INST\]")
_CODE = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")
# A scanner's misreadings: digits inside a word (`pat1ent`, `N0tes`), and words torn into letters (`p a t i e n t`).
_MISREAD = re.compile(r"\b[a-z]+[0-9]+[a-z]+\b|\b[A-Z]?[a-z]*[0-9][a-z]{2,}\b")
_TORN = re.compile(r"(?<!\S)(?:[a-z] ){4,}[a-z](?!\S)")
_GARBLED = 0.08  # of the words
_LANGUAGE_WORDS = 50  # fewer are too few to tell a language by
# What a clinician would only write as a quotation; in what a patient says it is clinical.
_PROFANE = re.compile(r"\b(?:fuck\w*|shit(?:ty|s)?|bitch\w*|asshole\w*|cunt\w*|motherfuck\w*)\b", re.I)
_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|^\s*(?:P|Pt|Patient|C|Client)\s*:.*$", re.M)
_FEW_NUMBERS = 3  # an answer with fewer may well round or count


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return re.findall(r"[a-z0-9]+(?:[.'-][a-z0-9]+)*", text.lower())


def rejection(draft: Draft, settings: CurationSettings) -> str | None:
    """The first rule that a draft breaks, or None."""
    return next((name for name, broken in _RULES.items() if broken(draft, settings)), None)


def _unreadable(draft: Draft, settings: CurationSettings) -> bool:
    # Binary remains: few of the characters are letters, digits, spaces or punctuation of prose.
    odd = sum(
        not (c.isalnum() or c.isspace() or c in ".,;:!?'\"()/-+%<>=&#*@[]{}|~_°±≥≤–—’‘“”•→")
        for c in draft.source
    )
    return odd > 0.05 * max(1, len(draft.source))


def _garbled(draft: Draft, settings: CurationSettings) -> bool:
    torn = sum(len(found[0].split()) for found in _TORN.finditer(draft.source))
    return len(_MISREAD.findall(draft.source)) + torn > _GARBLED * max(1, len(draft.source.split()))


def _wrong_language(draft: Draft, settings: CurationSettings) -> bool:
    return any(
        len(words(text)) >= _LANGUAGE_WORDS and language(text) not in (settings.language, None)
        for text in (draft.source, draft.answer)
    )


def _empty_sections(draft: Draft, settings: CurationSettings) -> bool:
    """A reference that is a form which nobody has filled in."""
    if draft.form != "text":
        return False
    found = [s for s in sections(draft.answer) if s.title]
    return len(found) > 1 and sum(not s.body for s in found) > len(found) / 2


def _codes(draft: Draft) -> list[str]:
    return [line.partition(":")[0].strip() for line in draft.answer.splitlines() if line.strip()]


def _unsupported_evidence(draft: Draft, settings: CurationSettings) -> bool:
    """Coding answers quote the note; a quote that is not in it would teach to invent."""
    if draft.form != "codes":
        return False
    text = " ".join(draft.source.split()).lower()
    for line in draft.answer.splitlines():
        code, _, quotes = line.partition(": ")
        if not _CODE.fullmatch(code):
            return True
        if any(" ".join(q.split()).lower() not in text for q in quotes.split("; ")):
            return True
    return False


def _unsupported_reference(draft: Draft, settings: CurationSettings) -> bool:
    """A reference that tells what its source does not would teach to invent."""
    if draft.form != "text":
        return False
    missing = support.unsupported_numbers(draft.source, draft.answer)
    numbers = len(support.numbers(draft.answer))
    if numbers >= _FEW_NUMBERS and len(missing) > (1 - settings.min_number_support) * numbers:
        return True
    share = support.term_support(draft.source, draft.answer)
    return share is not None and share < settings.min_term_support


_RULES: dict[str, Callable[[Draft, CurationSettings], bool]] = {
    "prompt-too-short": lambda d, s: len(words(d.source)) < s.min_prompt_words,
    "prompt-too-long": lambda d, s: len(words(d.source)) > s.max_prompt_words,
    "answer-too-short": lambda d, s: len(words(d.answer)) < s.min_answer_words,
    "answer-too-long": lambda d, s: len(words(d.answer)) > s.max_answer_words,
    "control-tokens": lambda d, s: bool(_CONTROL.search(d.source) or _CONTROL.search(d.answer)),
    "unreadable-text": _unreadable,
    "garbled-text": _garbled,
    "wrong-language": _wrong_language,
    "profanity": lambda d, s: bool(_PROFANE.search(_QUOTED.sub("", d.answer))),
    "answer-longer-than-source": lambda d, s: d.task == "summary" and len(d.answer) > len(d.source),
    "empty-sections": _empty_sections,
    "unsupported-evidence": _unsupported_evidence,
    "unknown-code": lambda d, s: d.form == "codes" and bool(icd10.unknown(_codes(d))),
    "contradictory-codes": lambda d, s: d.form == "codes" and bool(icd10.contradictory(_codes(d))),
    "unsupported-reference": _unsupported_reference,
}
RULES = tuple(_RULES)
