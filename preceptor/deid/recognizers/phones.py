"""Telephone, pager and fax numbers."""

from __future__ import annotations

import regex

from preceptor.deid.recognizers.rule import OCR_DIGIT, RuleRecognizer, has_digits, rule

_EXT = r"(?:[ ,]{0,2}(?:x|ext\.?|extension)[ .:#]{0,2}\d[\d-]{0,6})?"
_NUMBER = r"(?:\+?1[ .-]?)?(?:\(\d{3}\)[ .-]?|(?<!\d)\d{3}[ ./-]{1,3})\d{3}[ .-]{1,2}\d{4}(?![\d-]*\d)" + _EXT
_PLAIN = r"(?:\+?1)?[2-9]\d{2}[2-9]\d{6}(?!\d)"
_FOREIGN = r"\+\d{1,3}[ .-]?(?:\(?\d{1,5}\)?[ .-]?){2,5}\d{2,4}(?!\d)"
_BRITISH = r"(?<![\d-])\(?0\d{2,4}\)?[ -]\d{3,4}[ -]?\d{3,4}(?!\d)"
_ANY = f"(?:{_FOREIGN}|{_NUMBER}|{_BRITISH}|{_PLAIN})"
_CUE = (
    r"\b(?:phone|ph|tel(?:ephone)?|cell|mobile|mob|home|work|office|call(?:ed|back)?|contact|text(?:ed)?|"
    r"pager|voicemail|dial|reach(?:ed)?|ring|number|line)\b"
)
_DIGIT_WORD = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)"


def _is_scanned_number(match: regex.Match) -> bool:
    value = match["v"]
    return sum(c.isdigit() for c in value) >= 6 and any(c in "OolI" for c in value)


class PhoneRecognizer(RuleRecognizer):
    """PHONE and FAX."""

    RULES = (
        rule(
            "fax",
            "FAX",
            rf"\bf(?:ax(?:ed)?|acsimile)\b(?:\s?(?:to|at|number|no\.?|#))?[\s:#|]{{0,4}}(?P<v>{_ANY})",
            0.95,
        ),
        rule(
            "fax-header",
            "FAX",
            rf"^(?=.{{0,200}}\bPG?\.?[ ]?\d+/\d+).{{0,120}}?\b(?:TO|FROM|FR)[ ]?:[^\n\d]{{0,40}}(?P<v>{_ANY})",
            0.9,
        ),
        rule("fax-to", "FAX", rf"\bTO[ ]?:[ ]?(?P<v>{_PLAIN})", 0.85, flags=regex.M),
        rule("number", "PHONE", _NUMBER, 0.85),
        rule("foreign", "PHONE", _FOREIGN, 0.85, has_digits(8)),
        rule("british", "PHONE", _BRITISH, 0.6, has_digits(9)),
        rule("plain-cued", "PHONE", rf"{_CUE}[^\d\n]{{0,20}}(?P<v>{_PLAIN})", 0.85),
        rule("plain", "PHONE", rf"(?<![\w-])(?P<v>{_PLAIN})", 0.4),
        rule("local-cued", "PHONE", rf"{_CUE}[^\d\n]{{0,20}}(?P<v>\d{{3}}[ .-]\d{{4}}(?!\d){_EXT})", 0.85),
        rule(
            "local",
            "PHONE",
            r"(?<![\w.,/-])(?P<v>[2-9]\d{2}-\d{4})(?![\d-]|\s?(?:mg|ml|mcg|units|kcal|cal))",
            0.5,
        ),
        rule("extension", "PHONE", r"\b(?P<v>(?:ext(?:ension)?\.?|extn)[ .:#]{0,2}\d[\d-]{1,7})", 0.85),
        rule(
            "x",
            "PHONE",
            r"(?<![\w.])(?P<v>x[ ]?\d{4,6})(?![\d.]|\s?(?:mg|ml|mm|cm|day|wk|week|mo|dose|u\b))",
            0.7,
        ),
        rule("x-cued", "PHONE", rf"{_CUE}[^\d\n]{{0,20}}\b(?P<v>x[ ]?\d[\d-]{{2,6}})(?!\d)", 0.85),
        rule(
            "pager",
            "PHONE",
            r"\b(?:pager|pgr|beeper|bleep|vocera|spectralink)\b[^\d\n]{0,8}(?P<v>\d[\d-]{2,9})",
            0.9,
        ),
        rule(
            "scanned",
            "PHONE",
            rf"\(?{OCR_DIGIT}{{3}}[) .-]{{1,2}}{OCR_DIGIT}{{3}}[ .-]{OCR_DIGIT}{{4}}(?![\w])",
            0.8,
            _is_scanned_number,
            flags=0,
        ),
        rule("spoken", "PHONE", rf"\b{_DIGIT_WORD}(?:[ -]{_DIGIT_WORD}){{6,12}}\b", 0.8),
    )
