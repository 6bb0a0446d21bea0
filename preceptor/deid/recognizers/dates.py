"""Dates in every form notes use, years, and ages."""

from __future__ import annotations

import regex

from preceptor.deid.recognizers.rule import RuleRecognizer, one_of, rule
from preceptor.deid.words import lexicon

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan enero janvier januar gennaio janeiro stycznia",
            "february feb febrero février februar febbraio fevereiro lutego",
            "march mar marzo mars märz março marca",
            "april apr abril avril aprile kwietnia",
            "may mayo mai maggio maio maja",
            "june jun junio juin juni giugno junho czerwca",
            "july jul julio juillet juli luglio julho lipca",
            "august aug agosto août sierpnia",
            "september sept sep septiembre septembre settembre setembro września",
            "october oct octubre octobre oktober okt ottobre outubro października",
            "november nov noviembre novembre listopada",
            "december dec diciembre décembre dezember dez dicembre dezembro grudnia",
        ),
        1,
    )
    for name in names.split()
}
MONTH = one_of(MONTHS)
FULL_MONTH = r"(?:january|february|march|april|june|july|august|september|october|november|december|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)"
WEEKDAY = r"(?:mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|lunes|martes|miércoles|jueves|viernes|sábado|domingo)"
SHORT_DAY = r"(?:mon|tues?|weds?|thu(?:rs?)?|fri|sat|sun)"
_D = r"(?:3[01]|[12]\d|0?[1-9])"
_ORD = rf"{_D}(?:st|nd|rd|th)"
_TENS = r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth"
_SPOKEN = rf"(?:(?:twenty|thirty)[- ])?(?:{_TENS})"
_YEAR = r"(?:(?:19|20)\d{2})"
_Y2 = rf"(?:,?[ ]?(?:of |de |del )?{_YEAR}|,?[ ]?['’]\d{{2}}|, \d{{2}}(?!\d))"
_NOT_DATE_AFTER = regex.compile(
    r"\s?(?:strength|pain|power|motor|pulses?|reflex|murmur|systolic|diastolic|ppd|pack|mm\s?hg|mmhg|tab|pill|"
    r"dose|strip|cup|of the|items?|criteria|points?|intensity|severity|throughout|bilateral|positive|correct|"
    r"lead|vertebr|disc|level|stenosis|today now|cx|mg|mcg|ml)",
    regex.I,
)
_NOT_DATE_BEFORE = regex.compile(
    r"(?:pain|strength|motor|power|grade|murmur|score[ds]?|rated?|mood|anxiety|stress|sev(?:erity)?|urges?|cravings?|distress|"
    r"bp|vision|ratio|lachman|drawer|mmt|reflex(?:es)?|pulses?|dtrs?|quads?|ehl|[LCTS]\d|phq|vas|nprs|energy|sleep|at best|at worst|worst|best|now|from|"
    r"delts?|biceps|triceps|grip|intrinsics?|abduction|flexion|extension|er|ir|ta|gs|df|pf|wiggle|sensation|recall|orientation|mmse|moca|percocet|norco|vicodin|hydrocodone|oxycodone|fev1|stool)\s*[:=(]?\s*(?:is |of |was |at |a |to |about |around )?$",
    regex.I,
)
_DATE_BEFORE = regex.compile(
    r"(?:\b(?:on|since|from|until|till|til|by|dated?|next|of|for|rtc|f/u|visit|seen|due|appt|thru|through|starting|start|began|begin|begun|last|d/c|dc|adm|done|labs?|echo|mri|ct|xr|x-ray|cxr|after|before|before|and|or|"
    r"week|session|call|called|exp|hold|est|sent|signed|updated|admitted|discharged|sx|surg|surgery|mon|tues?|wed|thu(?:rs)?|fri|sat|sun|\w+day)\.?[ :,]{0,2}|^\W{0,3}|[(\[–—>@-]\s?)$",
    regex.I | regex.M,
)


def _md(m: regex.Match) -> bool:
    """Whether n/n is a month and a day rather than a score, a strength or a blood pressure."""
    first, second = (int(x) for x in m["v"].split("/"))
    if not (1 <= first <= 12 and 1 <= second <= 31):
        return False
    before, after = m.string[max(0, m.start() - 40) : m.start()], m.string[m.end() : m.end() + 20]
    if _NOT_DATE_AFTER.match(after) or (second in (2, 3, 4, 5, 6, 8, 10) and _NOT_DATE_BEFORE.search(before)):
        return False
    return not (second in (3, 4, 5, 10, 6, 8, 2) and first <= second and not _DATE_BEFORE.search(before))


def _numeric(m: regex.Match) -> bool:
    a, b, c = (int(x) for x in regex.findall(r"\d+", m["v"])[:3])
    if a > 31:
        return 1900 <= a <= 2100 and 1 <= b <= 12 and 1 <= c <= 31
    return (1 <= a <= 12 and 1 <= b <= 31) or (1 <= b <= 12 and 1 <= a <= 31)


def _ocr(m: regex.Match) -> bool:
    return sum(c.isdigit() for c in m["v"]) >= 2 and any(c in "OolI" for c in m["v"])


_PREP = r"(?:in|since|until|till|til|by|from|last|next|this|early|mid|late|of|during|before|after|through|to|around|each|every|back in|and|for|it's|@)"
_HOLIDAYS = one_of(line.split("|")[0] for line in lexicon("holidays")).replace("'", "['’]?")
_ORD_AFTER = r"(?=\s*(?:$|[.,;:)?!]|at\b|and\b|or\b|for\b|with\b|to\b|she\b|he\b|we\b|i\b|but\b|if\b|in clinic|before\b|after\b|was\b|is\b|as\b|when\b|by\b|because\b|so\b|then\b|unless\b|it\b|they\b|from\b|–|—))"


class DateRecognizer(RuleRecognizer):
    """DATE and YEAR."""

    RULES = (
        rule(
            "iso",
            "DATE",
            r"(?<![\d-])(?:19|20)\d{2}(?P<s>[-/.])(?:0?[1-9]|1[0-2])(?P=s)(?:3[01]|[12]\d|0?[1-9])(?!\d)",
            0.95,
        ),
        rule(
            "stamp",
            "DATE",
            r"(?<!\d)(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6})?(?!\d)",
            0.75,
        ),
        rule(
            "numeric",
            "DATE",
            r"(?<![\d./-])\d{1,2}[ ]?(?P<s>[/.-])[ ]?\d{1,2}[ ]?(?P=s)[ ]?(?:\d{4}|\d{2})(?![\d]|[./-]\d)",
            0.9,
            _numeric,
        ),
        rule(
            "month-year",
            "DATE",
            rf"(?<![\d./-])(?:0?[1-9]|1[0-2])[/-](?:{_YEAR}|(?:3[2-9]|[4-9]\d)(?!\s?(?:mm|%)))(?![\d/%-])",
            0.7,
        ),
        rule(
            "month-day",
            "DATE",
            r"(?<![\d./+<>~#-])(?<v>\d{1,2}/\d{1,2})(?![\d/%+]|\.\d|-\d+(?!\d?/))".replace("?<v>", "?P<v>"),
            0.65,
            _md,
        ),
        rule(
            "range-end",
            "DATE",
            r"\d{1,2}/\d{1,2} ?[-–—] ?(?P<v>\d{1,2}/\d{1,2})(?![\d/%+])",
            0.65,
            lambda m: 1 <= int(m["v"].split("/")[0]) <= 12,
        ),
        rule(
            "range-start",
            "DATE",
            r"(?<![\d/])(?P<v>\d{1,2}/\d{1,2}) ?[-–—] ?\d{1,2}/\d{1,2}(?:/\d{2,4})?(?![\d/%+])",
            0.65,
            lambda m: 1 <= int(m["v"].split("/")[0]) <= 12,
        ),
        rule(
            "named",
            "DATE",
            rf"\b(?:{WEEKDAY}|{SHORT_DAY})?\.?,?[ ]?\b{MONTH}\.?[ -]?(?:the )?(?:{_ORD}|{_D}|{_SPOKEN})\b(?!\s?(?:mg|years|yrs|weeks|months|%|mcg))(?:{_Y2})?(?:(?: ?[-–] ?| and ){_D}(?:st|nd|rd|th)?\b(?!/))?",
            0.9,
        ),
        rule(
            "day-first",
            "DATE",
            rf"(?<![\d.])(?:(?=\d)|\b(?=\p{{L}}))(?:(?:{WEEKDAY}|{SHORT_DAY})\.?,?[ ])?(?:the )?(?:{_ORD}|{_D}\.?|{_SPOKEN})[ -]?(?:of |de )?{MONTH}\b\.?(?:[ ,-]{{1,2}}(?:de |del )?(?:{_YEAR}|\d{{2}}(?![\d:%])))?",
            0.85,
            lambda m: not regex.search(r"\b(?:may|mar|sep|dec|mai|mars)$", m["v"]) or m["v"][0] != "0",
        ),
        rule("glued", "DATE", rf"(?<!\w){_D}{MONTH}(?:\d{{4}}|\d{{2}})\b", 0.9),
        rule(
            "month-of-year",
            "DATE",
            rf"\b(?:(?:early|mid|late)[- ])?{MONTH}\.?,?[ -]?(?:of |de )?(?:{_YEAR}|['’]\d{{2}})\b",
            0.85,
        ),
        rule("month-short-year", "DATE", rf"\b{MONTH}-\d{{2}}\b", 0.7),
        rule(
            "month",
            "DATE",
            rf"\b(?:(?:early|mid|late)[- ])?(?P<v>{FULL_MONTH})\b(?!\s?(?:fracture|on\b))",
            0.6,
            lambda m: m["v"][0].isupper() or m["v"].lower() not in ("march", "august"),
        ),
        rule(
            "month-cued",
            "DATE",
            rf"\b{_PREP}[ -](?P<v>may|{MONTH})\b(?!\s?(?:have|be|also|not|need|require|cause|benefit|or may))",
            0.6,
            lambda m: m["v"][0].isupper() or m["v"] not in ("may", "mar", "march"),
        ),
        rule(
            "mid",
            "DATE",
            rf"\b(?P<v>(?:early|mid|late|beginning of|end of)[- ]{MONTH}\b)",
            0.7,
            lambda m: "may" not in m["v"],
        ),
        rule("weekday", "DATE", rf"\b{WEEKDAY}\b", 0.85),
        rule(
            "short-weekday",
            "DATE",
            r"\b(?:Mon|Tues?|Weds?|Thu(?:rs?)?|Fri|Sat|Sun)s?\b(?!\s?\d{2,3}\s?%|[ ]exposure)",
            0.6,
            None,
            regex.M,
        ),
        rule(
            "lower-weekday",
            "DATE",
            r"\b(?:tues?|weds?|thurs?|fri|TUES?|WEDS?|THURS?|FRI|MON)\b",
            0.6,
            None,
            regex.M,
        ),
        rule(
            "cued-weekday",
            "DATE",
            rf"\b(?:on|until|till|since|by|next|last|this|every|from|for|to)[ ](?P<v>mon|sat|sun|wed|tue|thu|{SHORT_DAY})\b(?!\s?\d)",
            0.6,
        ),
        rule(
            "holiday",
            "DATE",
            rf"(?<!\w)(?:{_HOLIDAYS})(?:[ ](?:weekend|day|eve|week|morning|night))?(?!\w)",
            0.85,
            lambda m: len(m["v"]) > 4 or m["v"][0].isupper(),
        ),
        rule("ordinal", "DATE", rf"\b(?:the|on|by|until|since)[ ](?P<v>{_ORD}){_ORD_AFTER}", 0.6),
        rule(
            "ordinal-the",
            "DATE",
            rf"(?<=\b(?:on|by|until|since|till|before|after|from|of) )(?P<v>the (?:{_ORD}|{_SPOKEN})){_ORD_AFTER}",
            0.6,
        ),
        rule(
            "scanned",
            "DATE",
            r"(?<![\w/])[\dOolI]{1,2}/[\dOolI]{1,2}(?:/[\dOolI]{2,4})?(?![\w/])",
            0.8,
            _ocr,
            regex.M,
        ),
        rule(
            "scanned-year",
            "DATE",
            r"\b[A-Z][a-z]{2,8}\.? [\dOolI]{1,2}, [2l1][O0][\dOolI]{2}\b",
            0.8,
            _ocr,
            regex.M,
        ),
        rule(
            "year",
            "YEAR",
            r"(?<![\w./#$-])(?:19[2-9]\d|20[0-4]\d)s?(?![\w/%]|[.,-]\d|\s?(?:mg|ml|mcg|steps|kcal|cal|hrs|units|copies|ng|pg|h\b))",
            0.5,
        ),
        rule("short-year", "YEAR", r"(?<!\w)['’]\d{2}s?\b(?!['’])", 0.5),
    )


_ONES = "one|two|three|four|five|six|seven|eight|nine"
NUMBER_WORDS = rf"(?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:{_ONES}))?|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|{_ONES})"
_N = r"(?:1[01]\d|\d{1,2})"
_REL = r"(?:mother|father|sister|brother|daughter|son|wife|husband|partner|mom|dad|grandmother|grandfather|aunt|uncle|cousin|niece|nephew|dtr|kids?|children|girl|boy|spouse)"


class AgeRecognizer(RuleRecognizer):
    """AGE of anybody, in digits or words."""

    RULES = (
        rule(
            "years-old",
            "AGE",
            rf"(?<![\d.])(?:(?=\d)|\b(?=\p{{L}}))(?P<v>(?:{_N}|{NUMBER_WORDS})[ -]{{0,2}}(?:years?|yrs?|yr\.?|y|months?|mo|mos|weeks?|wks?|days?)?[ -]{{0,2}}(?:\.?o\b\.?|/o\b|old\b|of age\b))",
            0.9,
        ),
        rule(
            "yo",
            "AGE",
            rf"(?<![\d.])(?P<v>{_N}[ -]?(?:y\.?/?o\.?|yo[mf]?|yr[ -]?old|year[ -]?old|jahre|años|ans)\b)",
            0.9,
        ),
        rule(
            "sex",
            "AGE",
            rf"(?<![\d./-])(?P<v>{_N}[ ]?(?:[MF]|male|female|man|woman|lady|gentleman))\b(?![\d°])",
            0.75,
            lambda m: (
                int(regex.match(r"\d+", m["v"]).group()) >= 1 and not regex.search(r"\d[ ]?[mf]$", m["v"])
            ),
        ),
        rule(
            "lower-sex",
            "AGE",
            r"(?<![\d./-])(?P<v>[1-9]\d[ ]?[mf])\b(?=[ ,](?:w/|with|here|h/o|hx|s/p|p/w|c/o|presents|who))",
            0.7,
            None,
            regex.M,
        ),
        rule(
            "sex-first",
            "AGE",
            rf"\b[MF](?:ale|emale)?[ /,]{{1,2}}(?P<v>{_N})(?=[ ,;.)]|$)(?! ?(?:mg|cm|mm|F|Fr|%))",
            0.6,
            lambda m: 16 <= int(m["v"]) <= 110,
            regex.M,
        ),
        rule(
            "aged",
            "AGE",
            rf"\b(?:aged?|ages?)\b[ :]{{0,3}}(?:of |is |was |about )?(?P<v>{_N}|{NUMBER_WORDS})\b(?![%.]\d|[ ]?(?:appropriate|mg))",
            0.9,
        ),
        rule(
            "ages-and",
            "AGE",
            rf"\b(?:ages|aged)[ ](?:{_N}|{NUMBER_WORDS})(?:, (?:{_N}|{NUMBER_WORDS}))*,? (?:and|&) (?P<v>{_N}|{NUMBER_WORDS})\b",
            0.9,
        ),
        rule(
            "ages-mid",
            "AGE",
            rf"\b(?:ages|aged)[ ](?:{_N}|{NUMBER_WORDS}), (?P<v>{_N}|{NUMBER_WORDS})\b",
            0.9,
        ),
        rule(
            "relative",
            "AGE",
            rf"\b{_REL}(?:[ ](?:[A-Z][\p{{L}}'’-]+[ ]?){{1,3}})?[ ]?[(,][ ]?(?P<v>{_N})(?=[),.;]|[ ](?:and|who|lives|is|died|had|has)\b)",
            0.8,
        ),
        rule("paren", "AGE", r"\b\p{Lu}\p{Ll}{2,}[ ]\((?P<v>[1-9]\d?)\)", 0.5, None, regex.M),
        rule(
            "verb",
            "AGE",
            rf"\b(?:turned|turns|turning|died at|dead at|was|when (?:he|she|i|they) (?:was|were)|i'm|i am|is now|since (?:he|she|i) was|at the age of|mi at|cva at|stroke at|attack at|d\.) (?P<v>{_N}|{NUMBER_WORDS})(?=[.,;)]|[ ](?:and|when|in|now|from|of|years? old|next|this|last)\b|$)",
            0.45,
            lambda m: m.group()[:4].lower() != "was ",
        ),
        rule(
            "decade",
            "AGE",
            r"\bin (?:his|her|their|my) (?:early |mid |late |mid-)?(?P<v>(?:\d0['’]?s|twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties))\b",
            0.6,
        ),
    )
