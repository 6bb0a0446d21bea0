"""Training rows that need no model: an existing example in another style, order, state of typing, or of the other sex.

Numbers are never touched, nor what a coding answer quotes. A seed gives one row at most, in one way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

from preceptor.curation.sections import sections
from preceptor.deid.tagger.disturb import mistyped, scanned
from preceptor.deid.tagger.notes import Piece
from preceptor.records import Example
from preceptor.synthesis.filters import Candidate, quotations

NAME = "variations"
RECIPE = "style, order, typing and sex of an example, 2"

# Written both ways in notes, and with one meaning.
_SHORT = {
    "blood pressure": "BP", "heart rate": "HR", "respiratory rate": "RR", "shortness of breath": "SOB", "history of": "h/o",
    "hypertension": "HTN", "coronary artery disease": "CAD", "atrial fibrillation": "AF", "type 2 diabetes": "T2DM",
    "chronic kidney disease": "CKD", "chronic obstructive pulmonary disease": "COPD", "congestive heart failure": "CHF",
    "range of motion": "ROM", "total knee arthroplasty": "TKA", "activities of daily living": "ADLs", "as needed": "PRN",
    "twice daily": "BID", "by mouth": "PO", "follow-up": "f/u", "within normal limits": "WNL", "year-old": "yo",
    "no known drug allergies": "NKDA", "emergency department": "ED", "primary care physician": "PCP", "left ventricular": "LV",
    "ejection fraction": "EF", "generalized anxiety disorder": "GAD", "major depressive disorder": "MDD",
    "cognitive behavioral therapy": "CBT", "suicidal ideation": "SI", "physical therapy": "PT", "diagnosis": "dx",
    "treatment": "tx", "symptoms": "sx", "fracture": "fx",
}  # fmt: skip
_LONG = {short: words for words, short in _SHORT.items()}
_OTHER_SEX = {
    "he": "she", "him": "her", "his": "her", "himself": "herself", "man": "woman", "male": "female", "mr": "ms",
    "gentleman": "lady", "boy": "girl",
}  # fmt: skip
# What one sex has, or her relatives are called: a swap would make another story, or none.
_OF_ONE_SEX = re.compile(
    r"pregnan|gravid|partum|obstet|gyn|uter|ovar|menst|menopaus|cervical c|vagin|prostat|testic|scrot|erectile|penile|psa\b|"
    r"hysterect|breast|mammo|birth control|contracept|husband|wife|boyfriend|girlfriend|transgender|\bhers\b",
    re.I,
)
Varied = tuple[str, str]  # source and answer
_Change = Callable[[str], str]


def variations(ranked: Sequence[Example], count: int, seed: int = 1) -> Iterator[tuple[Candidate, str]]:
    """Yield up to `count` candidates with their answers, from the seeds in their order; the same seeds give the same."""
    given = 0
    for example in ranked:
        if given == count:
            return
        draw = Random(f"{seed} {example.example_id}")
        source = example.source
        for way in draw.sample(_WAYS, len(_WAYS)):
            text, answer = way(source, example, draw)
            if text != source:
                given += 1
                yield Candidate(text, source, example), answer
                break


def reordered(source: str, example: Example, draw: Random) -> Varied:
    """The titled sections in another order; what stands before the first title stays there. A title that comes twice is a
    speaker's, and what is said has only one order."""
    parts = sections(source)
    found = [source[s.start : s.end] for s in parts]
    head, body = ([], found) if parts[:1] and parts[0].title else (found[:1], found[1:])
    titles = [s.title for s in parts if s.title]
    if len(body) < 3 or len(set(titles)) < len(titles):
        return source, example.answer
    drawn = draw.sample(body, len(body))
    return "".join([*head, *(part if part.endswith("\n") else f"{part}\n" for part in drawn)]), example.answer


def abbreviated(source: str, example: Example, draw: Random) -> Varied:
    """Terms in their short forms, or short forms in words; of one kind, as one author writes."""
    table = draw.choice((_SHORT, _LONG))
    flags = re.I if table is _SHORT else 0
    terms = re.compile("|".join(rf"(?<![\w/]){re.escape(t)}(?![\w/])" for t in table), flags)
    change = lambda text: terms.sub(lambda m: table[m[0].lower() if table is _SHORT else m[0]], text)  # noqa: E731
    return outside_quotations(source, example, change), example.answer


def typed_in_haste(source: str, example: Example, draw: Random) -> Varied:
    """Slips of the keys in longer words."""
    return _noisy(source, example, lambda text: mistyped([Piece(text, "")], draw)[0].text)


def from_a_scanner(source: str, example: Example, draw: Random) -> Varied:
    """Letters misread in longer words."""
    return _noisy(source, example, lambda text: scanned([Piece(text, "")], draw)[0].text)


def _noisy(source: str, example: Example, change: _Change) -> Varied:
    """Noise in words of five small letters and more: no number, unit or name may come of it, or become another."""

    def worse(match: re.Match[str]) -> str:
        changed = change(match[0])
        return changed if re.fullmatch(r"[a-z ]+", changed) else match[0]  # an l may be read as 1

    words = re.compile(r"(?<![\w./-])[a-z]{5,}(?![\w./-])")
    return outside_quotations(source, example, lambda text: words.sub(worse, text)), example.answer


def of_the_other_sex(source: str, example: Example, draw: Random) -> Varied:
    """He for she in source and answer. Only from he to she: `her` is `him` or `his`, which only a reader can tell."""
    both = f"{source}\n{example.answer}"
    said = {word.lower() for word in re.findall(r"[A-Za-z]+", both)}
    if _OF_ONE_SEX.search(both) or said & set(_OTHER_SEX.values()) or "he" not in said:
        return source, example.answer
    return _swapped(source), _swapped(example.answer)


def _swapped(text: str) -> str:
    def other(match: re.Match[str]) -> str:
        word = _OTHER_SEX[match[0].lower()]
        return word.upper() if match[0].isupper() else word.capitalize() if match[0][0].isupper() else word

    return re.sub(rf"\b(?:{'|'.join(_OTHER_SEX)})\b", other, text, flags=re.I)


def outside_quotations(source: str, example: Example, change: _Change) -> str:
    """The source with all but what the answer quotes changed."""
    quoted = [re.escape(q) for q in quotations(example) if q]
    if not quoted:
        return change(source)
    parts = re.split(f"({'|'.join(sorted(quoted, key=len, reverse=True))})", source, flags=re.I)
    return "".join(part if n % 2 else change(part) for n, part in enumerate(parts))


_WAYS = (reordered, abbreviated, typed_in_haste, from_a_scanner, of_the_other_sex)
