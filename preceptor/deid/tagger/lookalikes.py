"""Sentences of notes that look as if they identified somebody and do not: eponyms, drugs, scores, doses, codes.

They are put into notes while training, because the hand-written ones can hold only so many of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from random import Random

from preceptor.deid.tagger.notes import Piece
from preceptor.deid.words import lexicon

_SENTENCES = (
    "{E} sign negative.", "{E} test positive on the left.", "hx of {E} disease.", "{E}'s disease since childhood", "no {E} sign", "{E} syndrome suspected.",
    "s/p {E} procedure", "{E} classification type II", "{E}-{F} syndrome", "{E} and {F} negative bilaterally.", "{E} fracture, closed.", "possible {E} phenomenon",
    "{E} criteria met.", "{D} {n} mg PO BID.", "Continue {D} {n} mg daily", "started {d}, stopped {e}", "Allergies: {D} (rash), {F}.", "{D} {n} mg tab, 1/2 tab qHS", "hold {d} if SBP < 100",
    "{D}/{F} {n}/{m} mg", "Meds: {d}, {e}, {D} {n}", "takes {d} q8h prn", "{D} {n} mcg inhaled, 2 puffs", "{S} {i} today.", "{S} score {i}/{j}", "{S}: {i} (was {k})", "{T}: {i}.{k}, repeat in 3 days",
    "{T} {n} (H)", "{T} pending.", "{V} in place, draining.", "{V} removed POD 2.", "{V} {i} Fr", "Motor {a}/5 throughout.", "strength {a}/5 {V}", "Pain {i}/10, was {k}/10.", "BP {n}/{m}, HR {p}, RR 16, SpO2 97% RA",
    "T {i}.{k}, P {p}, R 18, BP {n}/{m}", "EF {p}-{q}%.", "C{a}-C{b} fusion", "L{a}-L{b} disc bulge, T12/L1 normal", "INR {a}.{b}, PT {p}", "Apgars 8/9.", "G{b}P{a}", "CPT 992{i}, E11.{a}", "ICD-10 I{p}.{a}, M{p}.{k}",
    "POD#{a}", "HD {b}", "x {i} days", "{i} pack-years, quit", "grade {a}/6 systolic murmur", "reflexes 2+ and symmetric", "stage {R}", "NYHA {R}", "Grade {R} ulcer, {a} x {b} cm", "{p} mL of 0.9% saline over {a} h",
    "Seen at {H}:{M}.", "Time out at {H}{M}.", "to OR at {H}{M}, out at {H}:{M}", "Cr {a}.{b} (baseline {a}.{k})", "K {b}.{a} Na {n} Cl {m}", "WBC {i}.{k} Hgb {i}.{a} Plt {n}", "A1c {i}.{k}%", "lot of pain, {i} out of 10",
    "May repeat x1.", "He may go home when stable.", "Will follow.", "Mark the site.", "Rich in fibre.", "Frank blood in the stool.", "Christmas disease carrier.", "March fracture of the foot.", "Sat up in the chair.", "Sun exposure avoided.",
    "Baker cyst behind the knee", "West nile serology negative", "Lives alone.", "Mother and father are well.", "PCP to follow.", "The surgeon was present throughout.", "RN aware.", "Seen with the interpreter.", "Room air.", "Bed rest.",
    "Discussed with the family at the bedside.", "Return in two weeks.", "three weeks ago", "for the last 6 months", "since last visit", "every morning with food", "twice a week", "on and off for years", "in the evening", "over the weekend",
    "{U} 30 mm bearing, {V}", "{D}-coated stent", "Gene: {X}, pathogenic.", "{X} mutation not detected", "{X}+ {X}-", "grew {O}, pan-sensitive", "{O} > 100,000 CFU/mL", "Dr. Scholl's insoles", "Jackson-Pratt drain {p} mL", "St. Jude valve, 29 mm",
)  # fmt: skip
_GENES = "BRCA1 BRCA2 KRAS EGFR ALK HER2 PIK3CA MYBPC3 LMNA SCN5A KCNQ1 TTN JAK2 NPM1 FLT3 CD20 CD3 CD45 MLH1 TP53 PTEN RET BRAF F508del HLA-B27".split()
_ORGANISMS = "E. coli|S. aureus|K. pneumoniae|P. aeruginosa|C. difficile|H. pylori|S. pyogenes|M. tuberculosis|Candida albicans|Enterococcus faecalis|Proteus mirabilis|B. burgdorferi|T. pallidum|N. gonorrhoeae".split(
    "|"
)


@cache
def _words(name: str) -> tuple[str, ...]:
    return tuple(sorted(lexicon(name)))


def sentence(draw: Random) -> str:
    """One such sentence."""
    number = draw.randrange
    eponym, other = (draw.choice(_words("eponyms")).title() for _ in "ab")
    drug, second = draw.choice(_words("drugs")), draw.choice(_words("drugs"))
    form = draw.choice(_SENTENCES)
    if "{F}" in form and "{D}" in form:
        other = second.title()
    return form.format(
        E=eponym, F=other, D=drug.title(), d=drug, e=second, S=draw.choice(_words("scores")).upper(), T=draw.choice(_words("tests")).title(),
        V=draw.choice(_words("devices")), U=draw.choice(_words("devices")).title(), X=draw.choice(_GENES), O=draw.choice(_ORGANISMS), R=draw.choice(("I", "II", "III", "IV", "IIa", "3b")),
        n=number(2, 400), m=number(2, 200), p=number(10, 99), q=number(40, 70), i=number(1, 30), j=number(10, 60), k=number(0, 10), a=number(1, 6), b=number(1, 6), H=f"{number(24):02d}", M=f"{number(60):02d}",
    )  # fmt: skip


def with_lookalikes(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    """The note with up to four such sentences between its own; only after a full stop or at the end of a line."""
    found = list(pieces)
    for _ in range(draw.choice((0, 0, 1, 2, 4))):
        places = [n for n, piece in enumerate(found) if not piece.type and re.search(r"[.\n] ?", piece.text)]
        if not places:
            break
        n = draw.choice(places)
        at = draw.choice([m.end() for m in re.finditer(r"\.\s|\n", found[n].text)] or [len(found[n].text)])
        text = found[n].text
        end = "\n" if at and text[at - 1 : at] == "\n" else " "
        found[n] = Piece(f"{text[:at]}{sentence(draw)}{end}{text[at:]}", "")
    return found
