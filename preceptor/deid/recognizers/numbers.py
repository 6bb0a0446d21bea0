"""Numbers that name a person, a policy, a licence, a vehicle, a device or a piece of work, by their cue."""

from __future__ import annotations

from collections.abc import Callable

import regex

from preceptor.deid.recognizers.check_digits import is_dea, is_npi, is_vin
from preceptor.deid.recognizers.rule import ID_VALUE, LINK, Rule, RuleRecognizer, has_digits, rule


def cued(name: str, type: str, cues: str, score: float = 0.85, least: int = 2) -> Rule:
    """A rule: one of the cues, a link, and a value with at least `least` digits."""
    return rule(
        name, type, rf"(?<![\w-])(?:{cues})(?!\w){LINK}(?P<v>{ID_VALUE})(?![\w/])", score, _value(least)
    )


_DATE = r"(?:3[01]|[12]?\d|0\d)(?P<s>[/.-])(?:3[01]|[12]?\d|0\d)(?P=s)(?:19|20)?\d{2}|\d{1,2}/\d{1,2}"


def _value(least: int) -> Callable[[regex.Match], bool]:
    digits = has_digits(least)
    unit = regex.compile(
        r"\s?(?:mg|mcg|ml|cm|mm|kg|lb|lbs|days?|weeks?|wks?|months?|years?|yrs?|hours?|hrs?|min|%|times|y/?o)\b",
        regex.I,
    )

    def check(match: regex.Match) -> bool:
        if unit.match(match.string, match.end("v")):
            return False
        # A date is a date, whatever stands before it.
        return digits(match) and not regex.fullmatch(_DATE, match["v"])

    return check


class SsnRecognizer(RuleRecognizer):
    """SSN, whole or the last four with a cue."""

    RULES = (
        rule("dashed", "SSN", r"(?<![\d-])\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])", 0.9),
        rule(
            "cued",
            "SSN",
            r"\b(?:SSN?|social(?: security)?|soc sec)\b(?: (?:no|number)\b\.?)?[^\d\n]{0,12}(?P<v>\d{3}[ .-]?\d{2}[ .-]?\d{4})(?!\d)",
            0.95,
        ),
        rule("last-four", "SSN", r"\b(?:SSN?|social(?: security)?)\b[^\d\n]{0,30}(?P<v>\d{4})(?!\d)", 0.85),
        rule("masked", "SSN", r"\b(?P<v>[x*]{3}[- ]?[x*]{2}[- ]?\d{4})(?!\d)", 0.9),
    )


class RecordNumberRecognizer(RuleRecognizer):
    """MRN, ACCOUNT and HEALTHPLAN."""

    RULES = (
        cued(
            "mrn",
            "MRN",
            r"MRN?|MR ?#|M\.R\.N?\.?|med(?:ical)? ?rec(?:ord)?s?|chart|record|hosp(?:ital)?(?= ?n)|unit(?= n)|EMPI|NHS|URN|patient(?= ?(?:id|#|no|num))|pt(?= ?(?:id|#|no))|client(?= ?(?:id|#|no))|ID",
            0.85,
            3,
        ),
        rule("hash", "MRN", r"^(?:.{2,40}[ ,])?#(?P<v>\d{5,10})\b", 0.6),
        rule(
            "spoken",
            "MRN",
            r"\b(?:record|chart|mrn|number)[ :]{1,2}(?P<v>(?:[A-Z] ){1,3}(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|\d+)[ -]?){1,10})\b",
            0.8,
        ),
        cued(
            "account",
            "ACCOUNT",
            r"acc(?:oun)?t|HAR|CSN|FIN|encounter(?= ?(?:id|#|no|num))|visit(?= ?(?:id|#|no|num))|group|grp|billing|invoice|guarantor|card(?= (?:no|num|ending))|visa|mastercard|amex|bank|routing|IBAN|statement",
            0.8,
            3,
        ),
        cued(
            "plan",
            "HEALTHPLAN",
            r"member(?:ship)?|policy|subscriber|insurance|insured|ins|plan|medicaid|medicare|MBI|HICN?|beneficiary|health ?plan|payer|payor|rx ?bin|tricare|cert(?:ificate)? of coverage|medi-?cal|card says|coverage",
            0.85,
            4,
        ),
        rule(
            "plan-named",
            "HEALTHPLAN",
            r"\b(?:BCBS|blue cross|blue shield|aetna|cigna|humana|united ?health(?:care)?|UHC|kaiser|anthem|molina|centene|wellcare|tricare|medicaid|medicare|medi-cal|PPO|HMO)\b[^\d\n]{0,24}?(?P<v>(?:[A-Z]{1,4}-?)?\d[\dA-Z]*(?:[- ]\d[\dA-Z]*){0,4})\b",
            0.75,
            has_digits(5),
        ),
        rule(
            "mbi",
            "HEALTHPLAN",
            r"\b[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y\d]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y\d]\d-?[AC-HJKMNP-RT-Y]{2}\d\d\b",
            0.95,
        ),
    )


class LicenseRecognizer(RuleRecognizer):
    """LICENSE: NPI, DEA, state, laboratory and driver's licences."""

    RULES = (
        cued(
            "cued",
            "LICENSE",
            r"NPI|DEA|CLIA|GMC|NMC|HCPC|UPIN|CDL|DL|(?:state |medical |nursing |driver'?s |professional |RN |MD )?lic(?:en[sc]e|ensure)?\.?(?! plate)|medallion|cert(?:ificat(?:e|ion))?\.?|badge|credential|registration(?= n)|permit|provider(?= (?:id|no|#))|taxonomy",
            0.9,
            2,
        ),
        rule("npi", "LICENSE", r"(?<![\w-])\d{10}(?![\w-])", 0.7, lambda m: is_npi(m["v"])),
        rule("dea", "LICENSE", r"(?<![\w-])[A-Z][A-Z9]\d{7}(?!\w)", 0.9, lambda m: is_dea(m["v"])),
    )


class VehicleRecognizer(RuleRecognizer):
    """VEHICLE: VINs and plates."""

    RULES = (
        rule("vin", "VEHICLE", r"\b[A-HJ-NPR-Z\d]{17}\b", 0.95, lambda m: is_vin(m["v"])),
        rule(
            "vin-cued",
            "VEHICLE",
            r"\b(?P<v>VIN(?: number| no\.?| #)?[ :#]{0,3}[A-HJ-NPR-Z\d]{6,17})\b",
            0.95,
            has_digits(3),
        ),
        rule(
            "plate",
            "VEHICLE",
            r"\b(?:licen[sc]e plates?|plates?|tags?|reg(?:istration)?\.?|number ?plate)\b[ ]?(?:no\.?|number|#|is|was|of|reads|:)*[ ]{0,2}\(?\"?(?:[A-Z]{2} )?(?P<v>(?=[A-Z\d -]*\d)[A-Z\d]{1,4}[ -·]?[A-Z\d]{2,5})\b",
            0.8,
            has_digits(1),
            regex.M,
        ),
        rule("british", "VEHICLE", r"\b[A-Z]{2}\d{2} [A-Z]{3}\b", 0.75, None, regex.M),
    )


class DeviceRecognizer(RuleRecognizer):
    """DEVICE: serial and lot numbers, UDIs."""

    RULES = (
        cued(
            "cued",
            "DEVICE",
            r"serial|ser\.?(?= ?(?:no|#))|S/N|SN|lot|batch|UDI|IMEI|device(?= (?:id|no|#|num))|implant(?= (?:id|no|#|num))|generator(?= (?:id|no|#|s))|pump(?= (?:id|no|#))|monitor(?= (?:id|no|#))|model(?= (?:no|#|num))",
            0.85,
            2,
        ),
        rule("udi", "DEVICE", r"\(01\)\d{14}(?:\(\d{2}\)[\w-]+)*", 0.95),
    )


class BiometricRecognizer(RuleRecognizer):
    """BIOID: numbers of prints, scans and full-face photographs."""

    RULES = (
        cued(
            "cued",
            "BIOID",
            r"(?:finger|foot|thumb|palm|voice|hand|iris|retina(?:l)?|face)[ -]?(?:prints?|scan|id|template|photo|recording)?(?: (?:card|scan|template|file|on file))?(?: (?:to|in|on) (?:chart|file|record))?|biometric(?: id)?|photo(?:graph)?(?: id| file| no)?",
            0.8,
            3,
        ),
    )


class OtherNumberRecognizer(RuleRecognizer):
    """IDNUM: numbers of orders, specimens, claims and the like, and codes that look like one without any cue."""

    RULES = (
        cued(
            "cued",
            "IDNUM",
            r"acc(?:ession|n)?\.?|acc ?#|order|specimen|case|claim|auth(?:oriz?ation)?|authorisation|ref(?:erence)?(?= ?(?:no|#|num|:|\d))|ref|job|dictation|tracking|confirmation|conf|request|req(?:uisition)?|study(?= (?:id|no|#))|trial|protocol(?= (?:no|#))|subject(?= (?:id|no|#|\d))|participant|interp(?:reter)?(?: id)?|band|bracelet|wristband|rx|prescription|script|ticket|docket|incident|report(?= ?(?:no|#|num))|police report|locker|file|control|receipt|passport|student(?= ?(?:id|no|#))|employee(?= ?(?:id|no|#))|badge|staff(?= ?(?:id|no|#))|transaction|referral|slide|block|sample|unit(?= ?#)|donor|blood unit|document|doc(?= ?(?:id|#))|scan|image(?= ?(?:id|#))|booking|inmate|alien|visa(?= n)|DOC|PO|WC|work(?:er|man|men)?'?s?'? comp(?:ensation)?|NCT|IRB|tag",
            0.8,
            3,
        ),
        rule("hash", "IDNUM", r"(?<![\w/])(?P<v>#\d{4,12})\b", 0.6),
        rule(
            "letters-digits",
            "IDNUM",
            r"(?<![\w./-])(?P<v>[A-Z]{1,5}-?\d{5,12}(?:-[A-Z\d]{1,6}){0,3})(?![\w/]|[-.]\d)",
            0.55,
        ),
        rule(
            "letters-groups",
            "IDNUM",
            r"(?<![\w./-])(?P<v>[A-Z]{1,5}-\d{2,6}(?:-[A-Z\d]{1,8}){1,3})(?!\w)",
            0.55,
            has_digits(4),
        ),
        rule(
            "mixed",
            "IDNUM",
            r"(?<![\w./-])(?P<v>(?=[A-Z\d-]*[A-Z])(?=[A-Z\d-]*\d)[A-Z\d]{2,8}-[A-Z\d]{2,8}(?:-[A-Z\d]{1,8}){0,3})(?!\w)",
            0.45,
            has_digits(4),
            regex.M,
        ),
        rule("groups", "IDNUM", r"(?<![\w./-])(?P<v>\d{1,6}-\d{2,6}-\d{2,8}(?:-\d{1,6})?)(?![\w/]|-\d)", 0.5),
        rule(
            "pair",
            "IDNUM",
            r"(?<![\w./$-])(?P<v>\d{4,6}-\d{3,6})(?![\w/%]|-\d|\s?(?:mg|ml|mcg|k/ul|steps|kcal|cal|units))",
            0.45,
        ),
        rule("spaced", "IDNUM", r"(?<![\w./-])(?P<v>\d{4}(?: \d{4}){2,3})(?!\w)", 0.6),
        rule(
            "long",
            "IDNUM",
            r"(?<![\w./$,-])(?P<v>\d{7,12})(?![\w/%,]|\.\d|-\d|\s?(?:mg|ml|mcg|copies|cells|steps|units|cfu|/))",
            0.5,
        ),
    )
