"""Ages, in digits and in words."""

from __future__ import annotations

import regex

from preceptor.deid.recognizers.rule import RuleRecognizer, rule

_UNITS = "one two three four five six seven eight nine"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_WORD_NUMBER = (
    rf"(?:(?:a |one )?hundred(?: (?:and )?(?:{'|'.join(_UNITS.split())}))?|(?:{'|'.join(_TENS.split())})(?:[- ](?:{'|'.join(_UNITS.split())}))?|"
    rf"{'|'.join(_TEENS.split())}|{'|'.join(_UNITS.split())})"
)
_N = r"(?:1[0-2]\d|\d{1,2})"
_EVENT = (
    r"(?:mother|father|brother|sister|parent|grandm\w+|grandf\w+|uncle|aunt|cousin|son|daughter|mom|dad|sib\w*|twin|he|she|they|i|who|"
    r"died|diagnosed|dx|infarction|mi|heart attack|cancer|ca|stroke|cabg|onset|started|began|menarche|menopause|married|divorced|"
    r"retired|drowned|suicide|overdose|dementia|diabetes|death|stent|ablation|surgery|born|quit|moved|left|first)"
)


def age_number(text: str) -> int | None:
    """The number of years an age says, "ninety-one" and "94F" too; None if it says none."""
    digits = regex.search(r"\d{1,3}", text)
    if digits:
        return int(digits.group())
    low = text.lower()
    total = 100 if "hundred" in low else 0
    found = total > 0
    for value, words in ((1, _UNITS), (10, _TEENS), (None, _TENS)):
        for position, word in enumerate(words.split()):
            if regex.search(rf"\b{word}(?:\b|ies\b)", low) or (value is None and word[:-1] + "ies" in low):
                if word == "one" and total == 100 and low.startswith("one hundred"):
                    continue
                total += 20 + 10 * position if value is None else value + position
                found = True
    return total if found else None


def _is_age(match: regex.Match) -> bool:
    number = age_number(match["v"])
    return number is not None and 0 < number < 125


class AgeRecognizer(RuleRecognizer):
    """AGE."""

    RULES = (
        rule(
            "year-old",
            "AGE",
            rf"(?<![\d./-])(?P<v>{_N})(?=[- ]?(?:years?|yrs?|yr\.?|y)[- ]?(?:s[- ])?(?:0ld|old|o\b|of age))",
            0.95,
            _is_age,
        ),
        rule("y/o", "AGE", rf"(?<![\d./-])(?P<v>{_N}[ -]?(?:y/o|yo|y\.o\.?|yoa))\b", 0.95, _is_age),
        rule(
            "sex",
            "AGE",
            rf"(?<![\w./-])(?P<v>{_N}[ ]?(?:[MFmf]|y[MFmf]|yo[MFmf]|y/o[MFmf]))(?![\w'/-]|\.\d)(?!\s?(?:sheath|catheter|introducer|guide|foley|system|radial|femoral|tube|drain))",
            0.8,
            lambda m: (
                _is_age(m)
                and not regex.search(
                    r"(?:sheath|catheter|radial|femoral|fr|size|\bx)\s*$",
                    m.string[max(0, m.start("v") - 12) : m.start("v")],
                    regex.I,
                )
            ),
        ),
        rule(
            "years short",
            "AGE",
            rf"(?<![\w./-])(?P<v>{_N} ?y)(?:r|rs)?\b(?=[ ,]+(?:m|f|male|female|man|woman|boy|girl)\b)",
            0.85,
            _is_age,
        ),
        rule(
            "aged",
            "AGE",
            rf"\b(?:aged?|at (?:the )?age(?: of)?|ages?)[ :=|]{{0,12}}(?:is |was |about |of )?(?P<v>{_N}(?: ?(?:days?|wks?|weeks?|mo|months?|yrs?|years?)\b)?)(?![\d.%/])",
            0.9,
            _is_age,
        ),
        rule("ages and", "AGE", rf"\bages? {_N}(?:, {_N})*,? and (?P<v>{_N})\b", 0.9, _is_age),
        rule("ages list", "AGE", rf"\bages {_N}(?:, {_N})*?, (?P<v>{_N})\b", 0.85, _is_age),
        rule("age column", "AGE", rf"\bage(?: ?/ ?sex)?[ ]*\|[ ]*(?P<v>{_N})\b", 0.9, _is_age),
        rule(
            "small child",
            "AGE",
            rf"(?<![\d./-])(?P<v>{_N})(?=[- ](?:days?|weeks?|wks?|months?|mos?)[- ](?:old|of age))",
            0.85,
            _is_age,
        ),
        rule("words", "AGE", rf"\b(?P<v>{_WORD_NUMBER})(?=[- ]years?[- ](?:old|of age))", 0.95, _is_age),
        rule(
            "small words",
            "AGE",
            rf"\b(?P<v>{_WORD_NUMBER})(?=[- ](?:month|week|day)s?[- ](?:old))",
            0.85,
            _is_age,
        ),
        rule(
            "decade",
            "AGE",
            r"\b(?:in|into|of|reached) (?:his|her|their|my|the|your|early|mid|late)(?:[ -](?:early|mid|late))?[ -](?P<v>\d0['’]?s|teens|twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties)\b",
            0.8,
        ),
        rule("decade early", "AGE", r"\b(?:early|mid|late)[- ](?P<v>[2-9]0['’]?s)\b", 0.7),
        rule(
            "turned",
            "AGE",
            rf"\b(?:turn(?:s|ed|ing)?|becomes?|is now|was only|is only|was just|just) (?P<v>{_N}|{_WORD_NUMBER})\b(?=[\s]*(?:[.,;!?)]|$|in\b|on\b|this\b|next\b|last\b|and\b|today\b|tomorrow\b|when\b))",
            0.6,
            _is_age,
        ),
        rule(
            "when was",
            "AGE",
            rf"\b(?:when|since|before|until) (?:he|she|i|they|you|we) (?:was|were|is|turned|turns) (?:only |about |just |like )?(?P<v>{_N}|{_WORD_NUMBER})\b(?!\s?(?:%|mg|weeks|wks|months pregnant))",
            0.8,
            _is_age,
        ),
        rule(
            "event at",
            "AGE",
            rf"\b{_EVENT}\b[^.\n;:]{{0,40}}?\b(?:at|@) (?P<v>{_N})\b(?![\d:%/]|\.\d|\s?(?:mg|mcg|ml|%|hours?|hrs?|h\b|am\b|pm\b|a\.m|p\.m|weeks?|wks?|days?|months?|minutes?|min|degrees?|mmhg|bpm|beats|cm|mm|kg|lbs?|units|liters?|l\b|atm|o'clock|times|out of))",
            0.6,
            _is_age,
        ),
        rule(
            "name then age",
            "AGE",
            rf"(?:\p{{Lu}}\p{{Ll}}+|\p{{Lu}}{{2,}}),? \(?(?P<v>{_N})(?=[,)](?:\s|$|,))",
            0.5,
            lambda m: (
                _is_age(m)
                and not regex.search(
                    r"(?:score|scale|[A-Z]{2,}-?\d*|sessions?|page|day|week|grade|phase|stage|type|class|room|unit|level|step|item|figure|table|january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|hr|rr|bp|temp|weight|sodium|potassium|glucose|hemoglobin|creatinine|sat|spo2),? \(?$",
                    m.string[max(0, m.start("v") - 16) : m.start("v")],
                    regex.I,
                )
            ),
        ),
    )
