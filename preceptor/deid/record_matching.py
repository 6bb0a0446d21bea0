"""What the record says about a patient, found in the text however it is written there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import regex
from presidio_analyzer import EntityRecognizer, RecognizerResult

from preceptor.deid.date_shift import parse_date
from preceptor.deid.recognizers.name_runs import is_never_name
from preceptor.deid.recognizers.rule import result
from preceptor.deid.tokens import Token, case_style, fold, tokenize
from preceptor.deid.types import TYPES
from preceptor.deid.words import is_ordinary, lexicon, surname_rank

if TYPE_CHECKING:
    from presidio_analyzer.nlp_engine import NlpArtifacts

    from preceptor.records import PatientRecord

_SOURCE = "Record"
_KEY_TYPES = (
    (r"ssn|social", "SSN"),
    (r"mrn|medical.?rec|chart|hospital.?n", "MRN"),
    (r"insur|member|plan|policy|subscriber|medicaid|medicare|benefic|hicn|mbi", "HEALTHPLAN"),
    (r"account|acct|encounter|csn|visit|guarantor|group", "ACCOUNT"),
    (r"licen|npi|dea|cert", "LICENSE"),
    (r"plate|vin\b|vehicle", "VEHICLE"),
    (r"device|serial|implant", "DEVICE"),
    (r"user|login|portal", "USERNAME"),
    (r"url|web|site", "URL"),
    (r"\bip\b", "IP"),
    (r"fax", "FAX"),
    (r"zip|postal|postcode", "ZIP"),
    (r"city|town|birth.?place", "CITY"),
    (r"county|neighbou?rhood|district", "LOCATION_OTHER"),
    (r"occupation|profession|job", "PROFESSION"),
)
# Columns of an export that say nothing about who somebody is.
_PLAIN_KEYS = regex.compile(
    r"race|ethnic|gender|sex|marital|language|religion|status|state|country|age|pronoun|deceased|vip|blood|interpreter|type|class", regex.I
)
_TITLES = frozenset("mr mrs ms miss mx dr prof rev fr sgt sir".split())
_SUFFIXES = frozenset("jr sr ii iii iv".split())
_RELATION = regex.compile(r"\s*\((?:[^)]*)\)\s*$|^\s*[\p{L} -]{3,20}:\s*")


def name_parts(name: str) -> tuple[list[str], list[str]]:
    """(first names, last names) of a name as a record writes it: "Ann B. Lee-Wu", "LEE, ANN", 'Ann "Nan" Lee'.

    Titles, credentials and suffixes are left out; initials stay with the first names.
    """
    name = _RELATION.sub("", name)
    nicknames = regex.findall(r"[\"“'(]([\p{L}]{2,})[\"”')]", name)
    name = regex.sub(r"[\"“(][^\"”)]*[\"”)]", " ", name)
    head, comma, tail = name.partition(",")
    if comma and all(fold(w).strip(".") in lexicon("credentials") | _SUFFIXES for w in tail.split()):
        tail, comma = "", ""
    before = _words(head)
    after = _words(tail)
    if comma and after:
        return after + nicknames, before
    if len(before) < 2:
        return before + nicknames, []
    last = 1
    while last < len(before) - 1 and fold(before[-last - 1]) in ("de", "la", "del", "van", "von", "der", "den", "al", "el", "bin", "st", "da", "dos"):
        last += 1
    return before[:-last] + nicknames, before[-last:]


def _words(text: str) -> list[str]:
    words = [w.strip(".,") for w in text.split()]
    return [w for w in words if w and fold(w) not in _TITLES | _SUFFIXES and not (w.isupper() and fold(w) in lexicon("credentials") and len(w) > 1 and len(words) > 2 and w != text.strip() and not text.isupper())]


@lru_cache(maxsize=None)
def _nicknames() -> dict[str, frozenset[str]]:
    lines = (Path(__file__).parent / "lexicons" / "nicknames.txt").read_text(encoding="utf-8").splitlines()
    table: dict[str, set[str]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            full, *short = line.split()
            table.setdefault(full, set()).update(short)
            for form in short:
                table.setdefault(form, set()).add(full)
    return {name: frozenset(forms) for name, forms in table.items()}


def within_one_edit(a: str, b: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours makes `a` into `b`.

    >>> within_one_edit("tanaka", "tnaaka"), within_one_edit("smith", "smythe")
    (True, False)
    """
    if a == b:
        return True
    if abs(len(a) - len(b)) > 1:
        return False
    i = 0
    while i < min(len(a), len(b)) and a[i] == b[i]:
        i += 1
    if len(a) == len(b):
        return a[i + 1 :] == b[i + 1 :] or a[i : i + 2] == b[i : i + 2][::-1] and a[i + 2 :] == b[i + 2 :]
    shorter, longer = sorted((a, b), key=len)
    return shorter[i:] == longer[i + 1 :]


class PatientRecordRecognizer(EntityRecognizer):
    """Finds what one `PatientRecord` holds. Made for one patient; give it to Presidio as an ad hoc recogniser."""

    def __init__(self, record: PatientRecord) -> None:
        super().__init__(supported_entities=sorted(TYPES), name="PatientRecord")
        self._parts: dict[str, str] = {}
        for type_, names in (("DOCTOR", record.clinicians), ("RELATIVE", record.relatives), ("PATIENT", record.names)):
            for name in names:
                self._add_name(name, type_)
        self._long_parts = [part for part in self._parts if len(part) >= 5]
        self._initials = {part[0] for part in self._parts}
        self._patterns = list(_patterns(record))

    def _add_name(self, name: str, type_: str) -> None:
        first, last = name_parts(name)
        for word in (*first, *last):
            pieces = [p for p in regex.split(r"[-‐–\s]", fold(word)) if len(p) > 1]
            for piece in pieces:
                self._parts[piece] = type_
        if type_ == "PATIENT":
            for word in first:
                for form in _nicknames().get(fold(word), ()):
                    self._parts.setdefault(form, type_)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        found = [
            result(type_, *match.span(), 1.0, _SOURCE)
            for type_, pattern in self._patterns
            for match in pattern.finditer(text)
        ]
        if self._parts:
            found += self._names(text)
        return [r for r in found if not entities or r.entity_type in entities]

    def _names(self, text: str) -> Iterator[RecognizerResult]:
        tokens = tokenize(text)
        style = case_style(text)
        matched = [self._type_of(token, style) for token in tokens]
        index = 0
        while index < len(tokens):
            if matched[index] is None:
                index += 1
                continue
            end = self._reach(tokens, matched, index)
            begin = _initial_before(tokens, index, self._initials)
            parts = [i for i in range(index, end) if matched[i]]
            unsure = all(is_ordinary(tokens[i].text) for i in parts) and (len({fold(tokens[i].text) for i in parts}) < 2 and begin == index and end == parts[-1] + 1)
            if not unsure or self._stands_as_name(text, tokens, index, style):
                types = [t for t in (matched[i] for i in parts) if t]
                type_ = "PATIENT" if "PATIENT" in types and len(set(types)) == 1 else types[0]
                yield result(type_, tokens[begin].start, tokens[end - 1].end, 0.98, _SOURCE)
            index = end

    def _type_of(self, token: Token, style: str) -> str | None:
        if not token.is_word or len(token.text) < 2:
            return None
        low = fold(token.text)
        low = low.removesuffix("'s")
        if low in self._parts:
            return self._parts[low]
        if len(low) >= 5 and (token.is_capitalised or style == "lower") and not is_ordinary(token.text) and not is_never_name(token.text):
            for part in self._long_parts:
                if within_one_edit(low, part) and (low[0] == part[0] or low[1:] == part[1:] or low[:2] == part[:2][::-1]):
                    return self._parts[part]
        return None

    def _reach(self, tokens: tuple[Token, ...], matched: list[str | None], index: int) -> int:
        """One past the last token of the name that starts at `index`: parts joined by hyphens, commas, initials."""
        end = index + 1
        at = end
        while at < len(tokens) and tokens[at].start - tokens[at - 1].end <= 1:
            token = tokens[at]
            if matched[at]:
                at += 1
                end = at
            elif token.text in "-.,'" and at - end < 2:
                at += 1
            elif len(token.text) == 1 and token.text.isupper() and fold(token.text) in self._initials and at + 1 <= len(tokens):
                comma_before = tokens[at - 1].text == ","
                name_after = at + 1 < len(tokens) and (matched[at + 1] or tokens[at + 1].text == "." and at + 2 < len(tokens) and matched[at + 2])
                if comma_before or name_after or at + 1 == len(tokens) or tokens[at + 1].start > token.end:
                    at += 1
                    end = at
                else:
                    break
            elif token.is_word and token.is_capitalised and len(token.text) == 1 and at + 2 < len(tokens) and tokens[at + 1].text == "." and matched[at + 2]:
                at += 2
            elif fold(token.text) in _SUFFIXES:
                return at + 1
            else:
                break
        return end

    def _stands_as_name(self, text: str, tokens: tuple[Token, ...], index: int, style: str) -> bool:
        """Whether an ordinary word ("Will", "May") is the name here: capitalised within a sentence, or a line by itself."""
        token = tokens[index]
        line_start = text.rfind("\n", 0, token.start) + 1
        line_end = text.find("\n", token.end)
        line = text[line_start : line_end if line_end >= 0 else len(text)].strip(" .,:*-")
        if fold(line) == fold(token.text) and token.is_capitalised:
            return True
        if style != "mixed" or not token.is_capitalised or token.is_upper:
            return False
        before = text[line_start : token.start]
        if fold(token.text) in ("may", "june", "april", "august") and regex.search(r"\b(?:in|since|until|by|of|last|next|early|late|mid)\s$", before):
            return False
        return bool(regex.search(r"[\p{L}\d,;(][\s\"(]*$", before)) and not regex.search(r"[.!?:]\s*[\"“]?$", before)


def _initial_before(tokens: tuple[Token, ...], index: int, initials: set[str]) -> int:
    """The index where an initial before a name part stands ("J. Part", "J Part"), or `index`."""
    at = index - 1
    if at >= 1 and tokens[at].text == "." and tokens[at].end <= tokens[index].start <= tokens[at].end + 1:
        at -= 1
    if at >= 0 and len(tokens[at].text) == 1 and tokens[at].text.isalpha() and fold(tokens[at].text) in initials:
        if tokens[index].start - tokens[at].end <= 2 and (tokens[at].text.isupper() or tokens[index].text.islower()):
            return at
    return index


def _patterns(record: PatientRecord) -> Iterator[tuple[str, regex.Pattern]]:
    for phone in record.phones:
        digits = regex.sub(r"\D", "", phone)
        if len(digits) >= 7:
            yield "PHONE", _digits_pattern(digits[-10:], prefix=r"(?:\+?1[ .-]?)?\(?")
            if len(digits) >= 10:
                yield "PHONE", _digits_pattern(digits[-7:])
    for email in record.emails:
        yield "EMAIL", regex.compile(rf"(?<![\w.]){regex.escape(email)}(?!\w)", regex.I)
        local = email.partition("@")[0]
        if len(local) >= 5 and not is_ordinary(local):
            yield "USERNAME", regex.compile(rf"(?<![\w.]){regex.escape(local)}(?![\w@])", regex.I)
    for key, value in record.identifiers.items():
        yield from _identifier_patterns(key, value)
    if len(regex.sub(r"\W", "", record.patient_id)) >= 5 and any(c.isdigit() for c in record.patient_id):
        yield "MRN", _code_pattern(record.patient_id)
    if record.birth_date:
        yield from _birth_date_patterns(str(record.birth_date))
    for address in record.addresses:
        yield from _address_patterns(address)
    for organisation in record.organisations:
        yield from _organisation_patterns(organisation)


def _separated(characters: str, between: str) -> str:
    same = {"0": "[0Oo]", "1": "[1lI]", "o": "[Oo0]", "l": "[Ll1I]", "i": "[Ii1l]"}
    return between.join(same.get(c.lower(), regex.escape(c)) for c in characters)


def _digits_pattern(digits: str, prefix: str = "") -> regex.Pattern:
    return regex.compile(rf"(?<![\w]){prefix}{_separated(digits, r'[ ().·/-]{0,3}')}(?!\d)")


def _code_pattern(value: str) -> regex.Pattern:
    characters = regex.sub(r"[^\p{L}\d]", "", value)
    return regex.compile(rf"(?<![\p{{L}}\d]){_separated(characters, r'[ ._/#-]{0,2}')}(?![\p{{L}}\d])", regex.I)


def _identifier_patterns(key: str, value: str) -> Iterator[tuple[str, regex.Pattern]]:
    type_ = next((t for pattern, t in _KEY_TYPES if regex.search(pattern, key, regex.I)), "IDNUM")
    for piece in regex.split(r"[;,|]\s*", value):
        characters = regex.sub(r"[^\p{L}\d]", "", piece)
        digits = sum(c.isdigit() for c in characters)
        if digits >= 4 or digits >= 2 and len(characters) >= 5:
            yield type_, _code_pattern(piece)
            for part in piece.split():
                if part != piece and sum(c.isdigit() for c in part) >= 5:
                    yield type_, _code_pattern(part)
        elif digits == 0 and not _PLAIN_KEYS.search(key) and len(characters) >= 4:
            if type_ != "IDNUM" and not is_ordinary(piece):
                yield type_, _phrase_pattern(piece)
            elif len(piece.split()) > 1 and any(not is_ordinary(w) for w in regex.findall(r"[\p{L}]{2,}", piece)):
                yield "ORGANIZATION", _phrase_pattern(piece)


def _birth_date_patterns(text: str) -> Iterator[tuple[str, regex.Pattern]]:
    date = parse_date(text)
    if date is None or date.year is None or date.month is None or date.day is None:
        return
    y, m, d = f"{date.year:04d}", f"{date.month:02d}", f"{date.day:02d}"
    yield "DATE", regex.compile(rf"(?<!\d)(?:{y}{m}{d}|{m}{d}{y}|{d}{m}{y}|{m}{d}{y[2:]})(?!\d)")
    parts = "|".join(rf"{a}[ ./-]{{1,3}}{b}[ ./-]{{1,3}}(?:{y}|['’]?{y[2:]})" for a, b in ((f"0?{int(m)}", f"0?{int(d)}"), (f"0?{int(d)}", f"0?{int(m)}")))
    yield "DATE", regex.compile(rf"(?<!\d)(?:{parts}|{y}[ ./-]0?{int(m)}[ ./-]0?{int(d)})(?!\d)")


def _phrase_pattern(phrase: str) -> regex.Pattern:
    words = r"[\s,-]{1,3}".join(regex.escape(w) for w in regex.split(r"[\s,-]+", phrase.strip()) if w)
    return regex.compile(rf"(?<![\p{{L}}\d]){words}(?![\p{{L}}\d])", regex.I)


_STREET_FORMS = (
    {"street", "st"}, {"avenue", "ave", "av"}, {"road", "rd"}, {"drive", "dr"}, {"lane", "ln"}, {"boulevard", "blvd"},
    {"court", "ct"}, {"place", "pl"}, {"terrace", "ter"}, {"circle", "cir"}, {"parkway", "pkwy"}, {"highway", "hwy"},
    {"north", "n"}, {"south", "s"}, {"east", "e"}, {"west", "w"}, {"northeast", "ne"}, {"northwest", "nw"},
    {"southeast", "se"}, {"southwest", "sw"}, {"apartment", "apt", "unit", "#"}, {"saint", "st"},
)  # fmt: skip


def _address_patterns(address: str) -> Iterator[tuple[str, regex.Pattern]]:
    for found in regex.finditer(r"\b(\d{5})(?:-\d{4})?\s*$|\b(\d{5})-\d{4}\b", address):
        code = found[1] or found[2]
        yield "ZIP", regex.compile(rf"(?<![\d-]){code}(?:-\d{{4}})?(?![\d-])")
    for found in regex.finditer(r"\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b", address):
        yield "ZIP", _phrase_pattern(found.group())
    for piece in regex.split(r"[,\n;]+", regex.sub(r"\b\d{5}(?:-\d{4})?\b|\b[A-Z]{2}\b(?=\s*$|\s*,|\s+\d{5})", " ", address)):
        piece = piece.strip(" .")
        words = piece.split()
        if not words or len(piece) < 3:
            continue
        if any(c.isdigit() for c in words[0]):
            spelled = []
            for word in words:
                low = fold(word.strip("."))
                forms = set().union(*(f for f in _STREET_FORMS if low in f)) or {word.strip(".")}
                spelled.append("(?:" + "|".join(regex.escape(f) for f in sorted(forms, key=len, reverse=True)) + r")\.?")
            yield "STREET", regex.compile(r"(?<![\p{L}\d])" + r"[\s,]{1,3}".join(spelled) + r"(?![\p{L}\d])", regex.I)
            core = [w for w in words[1:] if not any(fold(w.strip(".")) in f for f in _STREET_FORMS) and not any(c.isdigit() for c in w)]
            if core and (len(core) > 1 or not is_ordinary(core[0]) and len(core[0]) > 3):
                tail = r"(?:\s(?:" + "|".join(sorted({f for forms in _STREET_FORMS[:12] for f in forms}, key=len, reverse=True)) + r")\b\.?)?"
                yield "STREET", regex.compile(r"(?<![\p{L}\d])(?:\d+\s)?" + r"\s".join(map(regex.escape, core)) + tail + r"(?![\p{L}\d])", 0 if len(core) == 1 else regex.I)
        elif not all(is_ordinary(w) for w in words) or len(words) > 1 or fold(piece) in lexicon("cities"):
            sure = len(words) > 1 or not is_ordinary(piece) and surname_rank(piece) > 5000
            flags = regex.I if sure else 0
            yield ("LOCATION_OTHER" if "county" in piece.lower() else "CITY"), regex.compile(rf"(?<![\p{{L}}\d]){regex.escape(piece)}(?![\p{{L}}\d])", flags)


def _organisation_patterns(organisation: str) -> Iterator[tuple[str, regex.Pattern]]:
    yield "ORGANIZATION", _phrase_pattern(organisation)
    words = organisation.split()
    while len(words) > 1 and fold(words[-1].strip(".,")) in _ORGANISATION_ENDS:
        words = words[:-1]
        if len(words) > 1 or not is_ordinary(words[0]) and len(words[0]) > 3:
            yield "ORGANIZATION", regex.compile(r"(?<![\p{L}\d])" + r"\s".join(map(regex.escape, words)) + r"(?![\p{L}\d])", regex.I if len(words) > 1 else 0)


_ORGANISATION_ENDS = frozenset(
    "inc llc corp corporation company co ltd group school high elementary middle academy university college hospital clinic center centre "
    "church services industries brewing analytics farms foods market pharmacy roofing construction manufacturing department dept".split()
)
