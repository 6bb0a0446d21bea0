"""What is medicine and stays: eponyms, drugs, ratios and diagnosis codes that a detector took for somebody, a date or a number.

The lists say what a word may be and the words around it what it is: `Parkinson disease`, but `Dr. Parkinson`;
`Allegra 180 mg`, but `her daughter Allegra`; `Beighton 5/9`, but `seen 5/9`.
"""

from __future__ import annotations

from functools import cache

import regex

from preceptor.deid.tokens import fold
from preceptor.deid.types import PEOPLE, PLACES
from preceptor.deid.words import clinical_words, lexicon
from preceptor.records import Span

_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)?")
_TITLE = regex.compile(
    r"\b(?:dr|drs|doctor|prof|mr|mrs|ms|miss|mx|sgt|officer|nurse|daughter|son|mother|father|wife|husband|sister|brother|"
    r"named|called|patient|pt|client|name|attending|surgeon|signed|by|cc)\b[.:,]?\s*$",
    regex.I,
)
_HEADS = frozenset(
    "disease syndrome sign signs test tests maneuver manoeuvre procedure fracture fractures palsy phenomenon reflex criteria score scale "
    "classification grade grading type stage index catheter drain tube clamp retractor forceps needle brace splint cast collar "
    "nodes node body bodies cells cell line lines angle ratio chorea tremor gait pulse bruit murmur lymphoma sarcoma tumor tumour carcinoma "
    "anemia anaemia thyroiditis ophthalmopathy esophagus oesophagus ulcer hernia cyst contracture deformity neuroma ganglion law triad "
    "tetralogy anomaly malformation operation repair bypass anastomosis incision approach position flap graft stain agar equation formula "
    "method technique view projection questionnaire inventory rule rules precautions solution lactate pack bunion bunionectomy osteotomy "
    "arthroplasty fusion joint ligament tendon canal duct gland glands valve valves node muscle space pouch nerve "
    "encephalopathy psychosis aphasia dementia arthropathy neuropathy myopathy dystrophy purpura nephritis crisis attack breathing".split()
)
_DOSE = regex.compile(
    r"\s{0,2}(?:\(|[A-Z]{2}\b)?\s{0,2}\d+(?:[.,/-]\d+)*\s?(?:mg|mcg|µg|g|units?|iu|meq|ml|mEq|puffs?|tabs?|%)\b",
    regex.I,
)
_RATIO = regex.compile(r"\d{1,2}(?:\.\d)?\s?[/-]\s?\d{1,3}")
# "4/5 strength", "2/6 systolic murmur", "3/4 pack", "8/10 pain"
_MEASURED_AFTER = regex.compile(
    r"[+-]?\s(?:muscle |motor |grip |systolic |diastolic |holosystolic |ejection |global |overall )*"
    r"(?:strength|power|murmur|intensity|pain|packs?|ppd|criteria|recall|words|objects|items|points|pulses|reflexes|effort|range)\b",
    regex.I,
)
_RATED_BEFORE = regex.compile(
    r"\b(?:score|severity|scale|rated|rates|rating)\s?(?:of|at|is|was|as|it|[-:=])?\s?$", regex.I
)
# Days, weeks and months as British notes count them: "3/7 hx", "4/52 ago", "for the past 2/12". Twelfths only where what
# follows says so: "in the last 3/12" may be March.
_DURATION = regex.compile(r"\d{1,2}/(?:7|52|12)")
_LASTED_AFTER = regex.compile(
    r"\s?(?:hx\b|h/o\b|history\b|ago\b|duration\b|course\b|supply\b|later\b)", regex.I
)
_LASTED_BEFORE = regex.compile(r"\b(?:for|over|in|during) the (?:past|last|next)\s$", regex.I)
# "Primary diagnosis code is R94.39": an ICD-10-CM code with its point.
_DIAGNOSIS_CODE = regex.compile(r"[A-TV-Z]\d[\dAB]\.[\dA-Z]{1,4}")
_CODED_BEFORE = regex.compile(r"\b(?:icd|codes?|coded|coding|dx|diagnos[ie]s|diagnostic)\b[^\n]*$", regex.I)
# The heads of a note in short. One alone may be somebody's initials: "DH: I slept badly."
_SHORT_HEADS = frozenset(
    "PC HPC HPI PMH PMHX PSH PPH DH DHX FH FHX SH SHX ROS OE SE MSE IMP DDX DX RX NKDA LMP ICE BO PV CC".split()
)
_SHORT_HEAD = regex.compile(r"^[ \t]*([A-Z]{2,4})\b(?=[ \t]*[:-])", regex.M)
_HEADS_OF_A_NOTE = 3
_REACH = 40  # characters on each side that are looked at


def is_medicine(text: str, span: Span) -> bool:
    """Whether a span is an eponym, a drug, a ratio or a diagnosis code by the lists and by what stands around it."""
    if span.type in PEOPLE | PLACES:
        return _is_term(text, span) or _is_short_head(text, span)
    if span.type in ("DATE", "AGE") and _RATIO.fullmatch(text, span.start, span.end):
        return _is_measure(text, span)
    if span.type == "IDNUM" and _DIAGNOSIS_CODE.fullmatch(text, span.start, span.end):
        return _CODED_BEFORE.search(text, max(0, span.start - _REACH), span.start) is not None
    return False


def _is_term(text: str, span: Span) -> bool:
    words = [fold(w).removesuffix("'s") for w in _WORD.findall(text[span.start : span.end])]
    if not words or _TITLE.search(text, max(0, span.start - _REACH), span.start):
        return False
    if all(w in lexicon("drugs") for w in words) and _DOSE.match(text, span.end):
        return True
    after = text[span.end : span.end + _REACH]
    near = [fold(w).removesuffix("'s") for w in _WORD.findall(after.split("\n\n")[0])[:3]]
    if any(w not in _eponym_words() and w not in _HEADS for w in words):
        return False
    joined = after[:1] in ("-", "–") and near[:1] != [] and near[0] in _eponym_words()
    joined = joined or text[max(0, span.start - 1) : span.start] in ("-", "–")
    return joined or any(w in _HEADS or w in clinical_words() for w in near[:2])


def _is_short_head(text: str, span: Span) -> bool:
    """`DH:` among other heads of its kind, at the beginning of a line."""
    if span.end - span.start > 4 or text[span.start : span.end] not in _SHORT_HEADS:
        return False
    heads = {m[1]: m.start(1) for m in _SHORT_HEAD.finditer(text) if m[1] in _SHORT_HEADS}
    begins = _SHORT_HEAD.match(text, text.rfind("\n", 0, span.start) + 1)
    return begins is not None and begins.start(1) == span.start and len(heads) >= _HEADS_OF_A_NOTE


def _is_measure(text: str, span: Span) -> bool:
    if _DURATION.fullmatch(text, span.start, span.end):
        days_or_weeks = not text.startswith("/12", span.end - 3)
        if _LASTED_AFTER.match(text, span.end) or (
            days_or_weeks and _LASTED_BEFORE.search(text, max(0, span.start - _REACH), span.start)
        ):
            return True
    if _RATED_BEFORE.search(text, max(0, span.start - _REACH), span.start):
        return True
    before = [fold(w) for w in _WORD.findall(text[max(0, span.start - _REACH) : span.start].split("\n")[-1])]
    if before and (before[-1] in lexicon("scores") or before[-1] in lexicon("anatomy")):
        return True
    return _MEASURED_AFTER.match(text, span.end) is not None


@cache
def _eponym_words() -> frozenset[str]:
    return frozenset(
        part for entry in lexicon("eponyms") for part in regex.split(r"[ -]", entry) if len(part) > 2
    )
