"""What the record says about a patient, found in the text in whatever form it is written."""

from __future__ import annotations

from dataclasses import dataclass

import regex

from preceptor.deid.name_matching import NameFinder, name_words
from preceptor.deid.tokens import case_style, fold
from preceptor.deid.words import is_ordinary
from preceptor.records import PatientRecord, Span

_ID_TYPES = (
    ("ssn", "SSN"),
    ("social", "SSN"),
    ("mrn", "MRN"),
    ("record", "MRN"),
    ("chart", "MRN"),
    ("account", "ACCOUNT"),
    ("acct", "ACCOUNT"),
    ("har", "ACCOUNT"),
    ("csn", "ACCOUNT"),
    ("insur", "HEALTHPLAN"),
    ("member", "HEALTHPLAN"),
    ("plan", "HEALTHPLAN"),
    ("medicaid", "HEALTHPLAN"),
    ("medicare", "HEALTHPLAN"),
    ("policy", "HEALTHPLAN"),
    ("mbi", "HEALTHPLAN"),
    ("npi", "LICENSE"),
    ("dea", "LICENSE"),
    ("licen", "LICENSE"),
    ("vehicle", "VEHICLE"),
    ("plate", "VEHICLE"),
    ("vin", "VEHICLE"),
    ("device", "DEVICE"),
    ("serial", "DEVICE"),
    ("implant", "DEVICE"),
    ("fax", "FAX"),
    ("phone", "PHONE"),
    ("ip", "IP"),
    ("user", "USERNAME"),
    ("city", "CITY"),
    ("zip", "ZIP"),
    ("occupation", "PROFESSION"),
    ("job", "PROFESSION"),
)
_PLACE_WORDS = frozenset(
    "street st avenue ave road rd drive dr lane ln boulevard blvd court ct place pl way apt unit suite north south east west n s e w nw ne sw se the of and".split()
)


@dataclass(frozen=True, slots=True)
class Known:
    """`pattern` finds a value of the record; `exact` asks for capitals as in a name."""

    type: str
    pattern: regex.Pattern
    source: str
    exact: bool = False


def people_of(record: PatientRecord) -> list[tuple[str, str]]:
    """(type, name) of everybody in the record."""
    return (
        [("PATIENT", n) for n in record.names]
        + [("RELATIVE", n) for n in record.relatives]
        + [("DOCTOR", n) for n in record.clinicians]
    )


def known_values(record: PatientRecord) -> list[Known]:
    """Compile everything but the names of the record, which `NameFinder` looks for word by word."""
    known: list[Known] = []

    def phrase(kind: str, value: str, source: str, exact: bool = False) -> None:
        words = regex.findall(r"[\p{L}\d]+", value)
        if words and sum(map(len, words)) >= 3:
            body = r"[\W_]{0,3}".join(map(regex.escape, words))
            known.append(
                Known(kind, regex.compile(rf"(?<![\p{{L}}\d]){body}(?![\p{{L}}\d])", regex.I), source, exact)
            )

    def digits(kind: str, value: str, source: str) -> None:
        run = regex.sub(r"[^\p{L}\d]", "", value)
        number = regex.sub(r"\D", "", value)
        if len(run) >= 4:
            body = r"[\s().\-/]{0,3}".join(map(regex.escape, run))
            known.append(
                Known(kind, regex.compile(rf"(?<![\p{{L}}\d]){body}(?![\p{{L}}\d])", regex.I), source)
            )
        if len(number) >= 5 and number != run:
            body = r"[\s().\-/]{0,3}".join(number)
            known.append(Known(kind, regex.compile(rf"(?<!\d){body}(?!\d)"), source))

    for value in record.phones:
        number = regex.sub(r"\D", "", value)[-10:]
        digits("PHONE", number, "record.phone")
        if len(number) == 10:
            known.append(
                Known(
                    "PHONE", regex.compile(rf"(?<!\d){number[3:6]}[-. ]?{number[6:]}(?!\d)"), "record.phone"
                )
            )
    for value in record.emails:
        phrase("EMAIL", value, "record.email")
        local = value.split("@")[0]
        if len(local) >= 4 and not is_ordinary(local):
            known.append(
                Known(
                    "USERNAME", regex.compile(rf"(?<!\w){regex.escape(local)}(?!\w)", regex.I), "record.email"
                )
            )
    for value in record.organisations:
        phrase("ORGANIZATION", value, "record.organisation")
        core = regex.sub(
            r"\b(?:the|inc|llc|ltd|high school|elementary|school|university|company|co|middle)\b\.?",
            "",
            value,
            flags=regex.I,
        ).strip(" ,.")
        if core and core != value and not all(is_ordinary(w) for w in core.split()):
            phrase("ORGANIZATION", core, "record.organisation", exact=True)
    for value in record.addresses:
        pieces = [p.strip() for p in value.split(",") if p.strip()]
        for n, piece in enumerate(pieces):
            zips = regex.findall(r"\d{5}(?:-\d{4})?$", piece) if n else []
            for z in zips:
                phrase("ZIP", z, "record.address")
            place = (
                regex.sub(r"\b[A-Z]{2}\b\s*(?:\d{5}(?:-\d{4})?)?$|\d{5}(?:-\d{4})?$", "", piece).strip()
                if n
                else piece
            )
            if place:
                phrase(
                    "STREET" if n == 0 else "CITY",
                    place,
                    "record.address",
                    exact=n > 0 and is_ordinary(place),
                )
            if n == 0:
                street = regex.sub(r"^[\d\W]+", "", piece)
                core = [
                    w for w in street.split() if fold(w.strip(".")) not in _PLACE_WORDS and not w.isdigit()
                ]
                if core and not all(is_ordinary(w) for w in core):
                    phrase("STREET", " ".join(core), "record.address", exact=True)
                phrase("STREET", street, "record.address", exact=True) if len(street.split()) > 1 else None
    for label, value in record.identifiers.items():
        low = label.lower()
        kind = next((t for key, t in _ID_TYPES if key in low), "IDNUM")
        if any(c.isdigit() for c in value):
            for piece in (
                value,
                *(v for v in regex.split(r"[,; ]+", value) if sum(c.isdigit() for c in v) >= 4),
            ):
                digits(kind, piece, "record.identifier")
        elif len(value) >= 4 and kind in ("CITY", "USERNAME", "PROFESSION"):
            phrase(kind, value, "record.identifier", exact=kind == "CITY")
    if record.birth_date:
        known.append(
            Known("DATE", regex.compile(_date_forms(record.birth_date), regex.I), "record.birth_date")
        )
    return known


def _date_forms(iso: str) -> str:
    m = regex.match(r"(\d{4})-(\d\d?)-(\d\d?)", iso)
    if not m:
        return rf"(?<!\w){regex.escape(iso)}(?!\w)"
    y, mo, d = (int(g) for g in m.groups())
    names = "jan feb mar apr may jun jul aug sep oct nov dec".split()
    sep = r"[-/. ]{1,2}"
    year = rf"(?:{y}|['’]?{y % 100:02d})"
    month = rf"{names[mo - 1]}\p{{L}}*\.?"
    forms = [
        rf"0?{mo}{sep}0?{d}{sep}{year}",
        rf"0?{d}{sep}0?{mo}{sep}{year}",
        rf"{y}{sep}0?{mo}{sep}0?{d}",
        rf"{y}{mo:02d}{d:02d}",
        rf"{mo:02d}{d:02d}{y}",
        rf"{month} ?0?{d}(?:st|nd|rd|th)?,? {year}",
        rf"0?{d}(?:st|nd|rd|th)?[- ](?:of )?{month}[-, ]{{1,2}}{year}",
    ]
    return rf"(?<![\w])(?:{'|'.join(forms)})(?![\w])"


class RecordFinder:
    """Finds everything a record knows in texts. Names may be in any order and case, short, or with one letter wrong."""

    def __init__(self, record: PatientRecord) -> None:
        self._known = known_values(record)
        self._names = NameFinder(
            [(kind, name_words(name)) for kind, name in people_of(record)], "record.name"
        )

    def find(self, text: str) -> list[Span]:
        """The spans in a text, overlapping where two values do."""
        mixed = case_style(text) == "mixed"
        found = [
            Span(m.start(), m.end(), known.type, 0.95, known.source)
            for known in self._known
            for m in known.pattern.finditer(text)
            if not known.exact or not mixed or m.group()[0].isupper()
        ]
        return found + self._names.find(text)
