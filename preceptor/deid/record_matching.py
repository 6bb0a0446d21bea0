"""What the record says about a patient, found in the text in whatever form it is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import regex

from preceptor.deid.tokens import case_style, fold, tokenize
from preceptor.deid.words import clinical_words, is_ordinary, lexicon, name_rank
from preceptor.records import PatientRecord, Span

_TITLE = regex.compile(
    r"^(?:dr|mr|mrs|ms|miss|prof|rev|sgt)\.? |,? (?:md|do|rn|np|phd|pa-c|pa|lcsw|dpt|jr\.?|sr\.?|iii?)$|\s*\([^)]*\)",
    regex.I,
)
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


def near(a: str, b: str) -> bool:
    """Whether two words differ by one letter put in, left out, changed, or two neighbours swapped."""
    if a == b:
        return True
    if abs(len(a) - len(b)) > 1:
        return False
    i = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return (
        a[i + 1 :] == b[i + 1 :]
        or a[i + 1 :] == b[i:]
        or a[i:] == b[i + 1 :]
        or (a[i : i + 2] == b[i : i + 2][::-1] and a[i + 2 :] == b[i + 2 :])
    )


@cache
def _nicknames() -> dict[str, frozenset[str]]:
    forms: dict[str, set[str]] = {}
    for line in lexicon("nicknames"):
        group = line.split()
        for word in group:
            forms.setdefault(word, set()).update(group)
    return {word: frozenset(group) for word, group in forms.items()}


def name_words(name: str) -> list[str]:
    """The words of a name without titles and credentials."""
    return list(regex.findall(r"\p{L}[\p{L}'’]*", _TITLE.sub("", _TITLE.sub("", name))))


def people_of(record: PatientRecord) -> list[tuple[str, str]]:
    """(type, name) of everybody in the record."""
    return (
        [("PATIENT", n) for n in record.names]
        + [("RELATIVE", n) for n in record.relatives]
        + [("DOCTOR", n) for n in record.clinicians]
    )


def known_values(record: PatientRecord) -> list[Known]:
    """Compile everything but the names of the record, which `find_record` looks for word by word."""
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


def find_record(text: str, record: PatientRecord) -> list[Span]:
    """Spans of everything the record knows. Names may be in any order, case and with one letter wrong."""
    found: list[Span] = []
    for known in known_values(record):
        for m in known.pattern.finditer(text):
            if not known.exact or m.group()[0].isupper() or case_style(text) != "mixed":
                found.append(Span(m.start(), m.end(), known.type, 0.95, known.source))
    return found + find_names(
        text, [(kind, name_words(name)) for kind, name in people_of(record)], "record.name"
    )


def find_names(text: str, people: Iterable[tuple[str, list[str]]], source: str) -> list[Span]:
    """Spans of the words of names: exact, possessive, nicknames, one letter off, initials beside a name."""
    wanted: dict[str, str] = {}
    fuzzy: list[tuple[str, str]] = []
    firsts: list[tuple[str, str, str]] = []  # initials that may stand before or after a surname
    for kind, words in people:
        for word in words:
            low = fold(word).removesuffix("'s")
            if len(low) >= 2:
                wanted.setdefault(low, kind)
                for nick in _nicknames().get(low, ()) if word is words[0] else ():
                    if len(nick) >= 3:
                        wanted.setdefault(nick, kind)
                if len(low) >= 5:
                    fuzzy.append((low, kind))
        if len(words) >= 2:
            firsts.append((fold(words[0])[:1], fold(words[-1])[:1], kind))
    found: list[Span] = []
    tokens = tokenize(text)
    mixed = case_style(text) == "mixed"
    for i, t in enumerate(tokens):
        if not t.is_word:
            continue
        low = fold(t.text)
        cut = 2 if low.endswith("'s") else 0
        low = low.removesuffix("'s")
        hit = wanted.get(low) or wanted.get(low.replace("'", ""))
        if hit is None and len(low) >= 4 and not is_ordinary(low) and low not in clinical_words():
            hit = next((k for w, k in fuzzy if near(w, low) and (t.is_capitalised or not mixed)), None)
        if hit is None:
            continue
        if (is_ordinary(low) or low in clinical_words() or len(low) < 3) and not _name_like(
            text, tokens, i, wanted, mixed
        ):
            continue
        found.append(Span(t.start, t.end - cut, hit, 0.93, source))
    # Initials beside a found surname or standing as a pair.
    extra = []
    for s in found:
        if m := regex.search(r"(?<![\p{L}'’])\p{L}\.?(?: ?\p{L}\.)? ?$", text[max(0, s.start - 8) : s.start]):
            if m.group().strip(" .")[:1].isupper() or not mixed:
                extra.append(Span(max(0, s.start - 8) + m.start(), s.end, s.type, 0.9, source))
        if m := regex.match(r", ?\p{Lu}\b\.?", text[s.end :]):
            extra.append(Span(s.start, s.end + m.end(), s.type, 0.9, source))
    pairs = {a + b: k for a, b, k in firsts if a and b}
    for m in regex.finditer(r"(?<![\w.])(\p{Lu})\.? ?(\p{Lu})(?:\.|(?![\w.]))", text):
        if (pair := pairs.get(fold(m[1] + m[2]))) and (
            ("." in m.group())
            or regex.search(r"(?:patient|client|pt|initials?:?) $", text[: m.start()], regex.I)
        ):
            extra.append(Span(m.start(), m.end(), pair, 0.6, source))
    return found + extra


def _name_like(text: str, tokens: tuple, i: int, wanted: dict[str, str], mixed: bool) -> bool:
    """Whether an ordinary word stands where a name would: capitals inside a sentence, or beside another name."""
    t = tokens[i]
    neighbours = [tokens[j] for j in (i - 1, i + 1, i - 2, i + 2) if 0 <= j < len(tokens)]
    beside = any(
        fold(n.text) in wanted
        and fold(n.text) != fold(t.text)
        and abs(n.start - t.end) < 12
        and (not is_ordinary(n.text) or n.is_capitalised)
        for n in neighbours
        if n.is_word
    )
    titled = regex.search(
        r"\b(?:mr|mrs|ms|miss|dr|patient|pt|client|mx|name|re)\b[.:]?\s*$",
        text[max(0, t.start - 12) : t.start],
        regex.I,
    )
    if not mixed:
        return bool(beside or titled)
    if not t.is_capitalised:
        return False
    inside = bool(regex.search(r"[\p{Ll},;\d)] $", text[max(0, t.start - 2) : t.start]))
    alone = bool(regex.match(r"(?:'s|’s)?(?:\s*[.,;:!?)]|\s+\p{Ll})", text[t.end :]))
    if t.is_upper and len(t.text) < 4:
        return bool(beside or titled)
    months = fold(t.text) in ("may", "june", "april", "august")
    return bool(
        beside
        or titled
        or (inside and not months)
        or (alone and name_rank(t.text) < 20000 and not months and t.start > 0)
    )
