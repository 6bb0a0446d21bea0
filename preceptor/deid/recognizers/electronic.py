"""E-mail addresses, web addresses, IP and MAC addresses, user names."""

from __future__ import annotations

import regex

from preceptor.deid.recognizers.rule import RuleRecognizer, rule
from preceptor.deid.words import clinical_words, is_ordinary

_TLD = (
    r"(?:com|org|net|edu|gov|mil|info|biz|io|co|us|uk|ca|au|de|fr|ie|nz|in|me|tv|app|dev|health|care|clinic|"
    r"doctor|md|med|hospital|example|test|invalid|local|internal)"
)


def _is_user_name(match: regex.Match) -> bool:
    """Letters then digits, as systems make user names; not "hba1c", "phq9" or "covid19"."""
    letters = regex.match(r"\p{L}+", match["v"])
    word = letters.group().lower() if letters else ""
    return len(word) >= 4 and word not in clinical_words() and not is_ordinary(word)


class EmailRecognizer(RuleRecognizer):
    """EMAIL, also written out: "jo dot roe at example dot com"."""

    RULES = (
        rule(
            "address",
            "EMAIL",
            r"[\p{L}\d][\p{L}\d._%+'-]*[ ]?@[ ]?[\p{L}\d](?:[\p{L}\d-]*\.)+[\p{L}]{2,12}\b",
            0.99,
        ),
        rule("bare", "EMAIL", r"\b[a-z\d][a-z\d._+-]*@[a-z\d-]{3,}\b", 0.6),
        rule(
            "spoken",
            "EMAIL",
            rf"\b[a-z\d]+(?:(?:[._-]|\s(?:dot|underscore|dash|period)\s)[a-z\d]+)*\s?[(\[]?\s?\bat\b\s?[)\]]?\s?"
            rf"[a-z\d-]+(?:\s[a-z\d]+)?\s?[(\[]?\s?(?:\s(?:dot|period|point)\s|\.)\s?[)\]]?\s?{_TLD}\b",
            0.9,
        ),
    )


class WebRecognizer(RuleRecognizer):
    """URL and IP."""

    RULES = (
        rule("scheme", "URL", r"\b(?:https?|ftp|sftp)://[^\s<>\"')\]]+[^\s<>\"')\].,;:]", 0.99),
        rule("www", "URL", r"\bwww\.[^\s<>\"')\]]+[^\s<>\"')\].,;:]", 0.95),
        rule(
            "domain",
            "URL",
            rf"(?<![@\w.-])(?:[a-z\d][a-z\d-]*\.)+{_TLD}\b(?:/[^\s<>\"')\]]*[^\s<>\"')\].,;:])?(?!\.?\w|@)",
            0.7,
            lambda m: len(m["v"]) > 6,
        ),
        rule(
            "v4",
            "IP",
            r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]*\d)",
            0.9,
        ),
        rule("v6", "IP", r"(?<![\w:])(?:[\da-f]{1,4}:){3,7}(?::?[\da-f]{1,4}){1,4}(?![\w:])", 0.8),
        rule(
            "v6-short",
            "IP",
            r"(?<![\w:])[\da-f]{1,4}(?::[\da-f]{1,4}){0,5}::(?:[\da-f]{1,4}(?::[\da-f]{1,4}){0,5})?(?![\w:])",
            0.8,
        ),
        rule("mac", "IP", r"\b[\da-f]{2}(?:[:-][\da-f]{2}){5}\b", 0.9),
    )


class UsernameRecognizer(RuleRecognizer):
    """USERNAME."""

    RULES = (
        rule(
            "cued",
            "USERNAME",
            r"\b(?:user ?(?:name|id)?|login|log-?in|signed in as|logged in as|screen ?name|handle)\b[ ]?[:=#]?[ ]?(?P<v>(?=\w*[\d_.]|[a-z])[a-z][\w.]{2,24})\b",
            0.8,
            lambda m: not is_ordinary(m["v"]),
        ),
        rule("handle", "USERNAME", r"(?<![\w.])@(?P<v>[a-z][\w.]{2,24})\b(?!\.\w)", 0.75),
        rule(
            "by",
            "USERNAME",
            r"\b(?:by|signed|user|author|initials)\b[ :]{1,2}(?P<v>[a-z]{4,15}\d{0,4})\b(?![ ]\p{L})",
            0.6,
            lambda m: not is_ordinary(m["v"]),
            regex.M,
        ),
        rule(
            "letters-digits",
            "USERNAME",
            r"(?<![\w@./-])(?P<v>[a-z]{4,}(?:[._][a-z]+)*\d{1,4})\b(?![@/.-]\w)",
            0.6,
            _is_user_name,
            regex.M,
        ),
        rule(
            "underscore",
            "USERNAME",
            r"(?<![\w@./-])(?P<v>[A-Z]{3,}_[A-Z]{2,8}\d{0,4}|[a-z]{3,}_[a-z]{2,12}\d{0,4})(?![\w@])",
            0.7,
            None,
            regex.M,
        ),
    )
