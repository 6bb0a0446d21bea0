"""Names of people by their cues: titles, headings, relations, credentials, name order, greetings, the census."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from preceptor.deid.recognizers.rule import Recognizer, one_of
from preceptor.deid.tokens import Token, case_style, fold, tokenize
from preceptor.deid.words import (
    clinical_words,
    first_name_rank,
    is_ordinary,
    lexicon,
    name_rank,
    surname_rank,
)
from preceptor.records import Span

_PARTICLES = frozenset(
    "de del la las los da dos das di van von der den ter al el bin ibn abu le du st mac san santa y e".split()
)
_TITLES = {
    **dict.fromkeys("dr drs doctor prof professor nurse np surgeon".split(), "DOCTOR"),
    **dict.fromkeys("mr mrs ms miss mister mx mstr master señora señor sra sr".split(), "PATIENT"),
    **dict.fromkeys(
        "coach officer deputy det detective sgt sergeant lt capt captain cpl pvt col major rev reverend pastor fr rabbi imam brother-in-law judge attorney principal aunt uncle auntie tia tio grandma grandpa nana sister brother cousin".split(),
        "RELATIVE",
    ),
}
_HEAD_PATIENT = r"(?:patient(?:'s)?(?: name)?|pt(?: name)?|name|client|narne|re|member|subject|regarding|patient/client|pnt|nombre|paciente|resident|consumer|veteran|insured|subscriber|student)"
_HEAD_DOCTOR = (
    r"(?:attending|surgeon|assistant|asst|anesthesia|anesthesiologist|operator|fellow|referring|ref md|ref|refer(?:red)? to|provider|physician|pcp|md|therapist|clinician|counsell?or|"
    r"tech|technologist|sonographer|reader|interpret(?:ed|ing)(?: by| physician)?|read by|dictated(?: by)?|dictator|signed(?: by)?|electronically signed(?: by)?|e-?signed(?: by)?|author|authored by|transcribed by|"
    r"cc|to|from|fr|attn|consultant|requesting|requested by|ordering(?: provider| md| physician)?|ordered by|primary(?: care)?(?: provider| physician)?|cardiologist|nurse|rn|circulator|scrub|resident|intern|np|pa|psychiatrist|psychologist|"
    r"supervisor|cosigned(?: by)?|co-?signer|seen by|staff|facilitator|leader|interviewer|examiner|performed by|perf|reviewed by|prepared by|entered by|completed by|verified by|recorded by|by|dear|d/w|discussed with|per|"
    r"first assist|second assist|rep|device rep|perfusionist|implanting(?: md| physician)?|evaluator|physiotherapist|ot|slp|crna|case manager|cm|social worker|sw|dx by|consulting|rendering provider|treating|cardiology|ortho)"
)
_HEAD_RELATIVE = r"(?:emergency contact|ec|next of kin|nok|spouse|mother|father|guardian|parent|parents|contact|dpoa|poa|hcp|proxy|guarantor|interpreter|adjuster|collateral|informant|caller|accompanied by|caregiver|employer contact|sponsor|attorney|case worker|driver)"
_RELATION, _STAFF = one_of(lexicon("relations")), one_of(lexicon("staff"))
_NOT_NAMES = frozenset(
    "the a an of and or to in on at for with is was has had he she they we i you it his her their our my your no not none this that these those "
    "yes ok okay am pm if but so as by from per will would can could should do does did be been also who what when where why how all both "
    "today tomorrow yesterday tonight morning here there then than now after before until since denies reports states says said told asked "
    "called calls call lives live died dead came comes went works work sees see seen notes note noted new old year years day days week weeks month months "
    "male female man woman boy girl name names dob mrn sex age date room phone tel fax ref re cc address street st unit clinic hospital service "
    "signed electronically md do np pa rn phd psyd dpt status type plan reason unknown none n/a na self same via visit other another each every "
    "left right bilateral history exam assessment subjective objective procedure findings impression diagnosis indication thanks thank please".split()
)
_HELLO = r"(?:hi|hello|hey|thanks|thank you|okay|ok|morning|good morning|good afternoon|welcome|dear|well|so|yes|yeah|no|bye|right|sorry|alright|all right|great|good|come in|see you|come on|listen|look|oh|and you)"


class _Text:
    """One text with its tokens and the case style of each line."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens = text, tokenize(text)
        self.starts = {t.start: i for i, t in enumerate(self.tokens)}
        self.note = case_style(text)
        self._lines: dict[int, str] = {}

    def style(self, at: int) -> str:
        start = self.text.rfind("\n", 0, at) + 1
        if start not in self._lines:
            end = self.text.find("\n", at)
            own = case_style(self.text[start : end if end >= 0 else len(self.text)])
            self._lines[start] = (
                self.note if self.note != "mixed" and own != "mixed" else own if own == "upper" else self.note
            )
        return self._lines[start]

    def token_at(self, at: int) -> int | None:
        while at < len(self.text) and self.text[at] in " \t\"'“(":
            at += 1
        return self.starts.get(at)


def plausible(doc: _Text, t: Token, strong: bool) -> bool:
    """Whether a word can be (part of) a name; after a strong cue any unlikely word will do."""
    low = fold(t.text).removesuffix("'s")
    if not t.is_word or low in _NOT_NAMES or low in lexicon("credentials") and not (strong and len(low) > 3):
        return False
    style = doc.style(t.start)
    if style == "mixed":
        if not t.is_capitalised:
            return False
        if strong:
            return low not in clinical_words() or name_rank(low) < 20000
        return (
            low not in clinical_words()
            and low not in lexicon("note_words")
            and (not is_ordinary(low) or low in lexicon("word_names") or name_rank(low) < 1500)
        )
    if strong:
        return not (is_ordinary(low) and name_rank(low) > 6000) or low in lexicon("word_names")
    return (
        low not in clinical_words()
        and low not in lexicon("note_words")
        and not is_ordinary(low)
        and (name_rank(low) < 40000 or len(low) > 4 and not low.isascii())
        and low not in lexicon("cities")
    )


def name_from(doc: _Text, i: int, strong: bool, most: int = 4) -> tuple[int, int] | None:
    """The stretch of a name that begins at token i, or nothing."""
    tokens, text = doc.tokens, doc.text
    words, end, j, real = 0, None, i, 0
    while j < len(tokens) and words < most:
        t = tokens[j]
        gap = text[end : t.start] if end is not None else ""
        if "\n" in gap or len(gap) > 1:
            break
        low = fold(t.text)
        if t.text in "-.,'’" and end is not None:
            follows = tokens[j + 1] if j + 1 < len(tokens) else None
            if t.text in "-'’" and gap == "" and follows and follows.start == t.end and follows.is_word:
                if plausible(doc, follows, strong or real > 0) or len(low) <= 2 or follows.is_capitalised:
                    end, j = follows.end, j + 2
                    continue
                break
            if (
                t.text == "."
                and gap == ""
                and j > i
                and len(tokens[j - 1].text) <= 2
                and tokens[j - 1].is_word
            ):
                end, j = t.end, j + 1
                continue
            break
        initial = len(t.text) == 1 and t.is_word and (t.is_capitalised or doc.style(t.start) == "lower")
        if initial and (low != "i" or text[t.end : t.end + 1] == ".") and (low != "a" or t.is_capitalised):
            words, end, j = words + 1, t.end, j + 1
            continue
        if (
            low in _PARTICLES
            and j + 1 < len(tokens)
            and (words or t.is_capitalised)
            and tokens[j + 1].is_word
        ):
            follows = tokens[j + 1]
            if (
                text[t.end : follows.start] in (" ", "")
                and plausible(doc, follows, True)
                and (follows.is_capitalised or doc.note != "mixed")
            ):
                words, real, end, j = words + 1, real + 1, follows.end, j + 2
                continue
        certain = strong and real == 0
        later = (
            real > 0
            and t.is_capitalised
            and doc.style(t.start) == "mixed"
            and low not in _NOT_NAMES
            and low not in clinical_words()
            and low not in lexicon("note_words")
            and low not in lexicon("credentials")
        )
        if plausible(doc, t, certain) or (
            later and (not is_ordinary(low) or low in lexicon("word_names") or strong)
        ):
            words, real, end, j = words + 1, real + 1, t.end, j + 1
            if t.text.lower().endswith(("'s", "’s")):
                end -= 2
                break
            continue
        break
    if end is None or (not real and not strong):
        return None
    return tokens[i].start, end


class NameRecognizer(Recognizer):
    """PATIENT, DOCTOR and RELATIVE by what stands around a name."""

    ENTITIES = ("PATIENT", "DOCTOR", "RELATIVE")

    def find(self, text: str) -> list[Span]:
        doc = _Text(text)
        found = [
            *_titles(doc),
            *_heads(doc),
            *_relations(doc),
            *_credentials(doc),
            *_orders(doc),
            *_initials(doc),
            *_greetings(doc),
            *_census(doc),
        ]
        return [Span(a, b, kind, score, f"{self.name}.{cue}") for kind, a, b, score, cue in found if b > a]


Found = tuple[str, int, int, float, str]


def _titles(doc: _Text) -> Iterator[Found]:
    names = "|".join(regex.escape(t) for t in _TITLES)
    for m in regex.finditer(rf"(?<![\w'’])({names})\b\.?[ ]{{1,2}}", doc.text, regex.I):
        i = doc.token_at(m.end())
        low = m[1].lower()
        if i is None:
            continue
        formal = _TITLES[low] in ("DOCTOR", "PATIENT") and low not in ("nurse", "np", "surgeon", "master")
        if (
            doc.style(m.start()) == "mixed"
            and not doc.tokens[i].is_capitalised
            and not (formal and not is_ordinary(doc.tokens[i].text))
        ):
            continue
        if hit := name_from(doc, i, formal):
            yield _TITLES[low], *hit, 0.9, "title"
        elif (
            formal
            and doc.tokens[i].is_word
            and len(doc.tokens[i].text) > 2
            and fold(doc.tokens[i].text) not in _NOT_NAMES
            and not is_ordinary(doc.tokens[i].text)
        ):
            yield _TITLES[low], doc.tokens[i].start, doc.tokens[i].end, 0.85, "title"
    # Dr A and Dr B; Drs. A and B
    for m in regex.finditer(r"\bDrs\.? [\p{L}'’-]+(?:,? (?:and|&) |, )", doc.text):
        i = doc.token_at(m.end())
        if i is not None and (hit := name_from(doc, i, True)):
            yield "DOCTOR", *hit, 0.9, "title"


def _heads(doc: _Text) -> Iterator[Found]:
    for kind, heads in (("PATIENT", _HEAD_PATIENT), ("DOCTOR", _HEAD_DOCTOR), ("RELATIVE", _HEAD_RELATIVE)):
        for m in regex.finditer(
            rf"(?<![\w])({heads})[ ]?(?:\([^)\n]{{1,15}}\))?[ ]?[:#|=>][ \t]{{0,8}}(?:(?:dr|mr|mrs|ms|miss)\b\.? )?",
            doc.text,
            regex.I,
        ):
            i = doc.token_at(m.end())
            if i is not None:
                yield from _person(doc, i, kind, True, 0.85, "heading")
        if kind == "PATIENT":
            for m in regex.finditer(
                r"(?<!\w)(?:PATIENT|PT|CLIENT|Patient|Client|Re|RE)[ ]{1,6}(?=\p{Lu})", doc.text
            ):
                i = doc.token_at(m.end())
                if i is not None:
                    yield from _person(doc, i, kind, False, 0.7, "heading")
    cues = r"signed by|signed|dictated by|dictated|per|cc|d/w|discussed with|seen by|by|from|with|attn|refer(?:red)?(?: to| by)?|consult|referral to|reviewed by|w/|see|called|spoke with|spoke to|paged|and|told|asked|met with|assisted by|covering for|thanks"
    for m in regex.finditer(rf"(?<!\w)(?:{cues}|{_STAFF})[ ]", doc.text, regex.I):
        i = doc.token_at(m.end())
        if i is not None and (doc.tokens[i].is_capitalised or doc.note != "mixed"):
            t = doc.tokens[i]
            known = name_rank(t.text) < 40000 and not is_ordinary(t.text)
            if known and plausible(doc, t, False):
                yield from _person(doc, i, "DOCTOR", False, 0.6, "cue")
    for m in regex.finditer(rf"(?<!\w)(?:{_STAFF})[ ,]{{1,2}}(?=\p{{Lu}})", doc.text, regex.I):
        i = doc.token_at(m.end())
        if i is not None:
            yield from _person(doc, i, "DOCTOR", False, 0.6, "staff")


def _person(doc: _Text, i: int, kind: str, strong: bool, score: float, cue: str) -> Iterator[Found]:
    """A name, also as LAST, FIRST."""
    if hit := name_from(doc, i, strong):
        start, end = hit
        m = regex.compile(r",[ ]{0,2}").match(doc.text, end)
        j = doc.token_at(m.end()) if m else None
        if j is not None:
            t = doc.tokens[j]
            if (first_name_rank(t.text) < 6000 or len(t.text) == 1 or strong) and (
                fold(t.text) not in lexicon("credentials")
                and (more := name_from(doc, j, len(t.text) == 1 or first_name_rank(t.text) < 6000, 3))
            ):
                end = more[1]
        yield kind, start, end, score, cue
        # "A / B", "A and B", "A, B" after one heading
        if strong and (m := regex.compile(r"[ ]?(?:/|&|;|\band\b)[ ]?").match(doc.text, end)):
            j = doc.token_at(m.end())
            if j is not None and (
                more := name_from(
                    doc, j, doc.tokens[j].is_capitalised and not is_ordinary(doc.tokens[j].text)
                )
            ):
                yield kind, *more, score, cue


def _relations(doc: _Text) -> Iterator[Found]:
    for m in regex.finditer(
        rf"(?<![\w-])({_RELATION})(?:'s name is|,| is| named| called|[ ]?\(|:|/|[ ]?[-–])?[ ]?(?:named |called |name |is )?(?:(?:mr|mrs|ms)\.? )?[\"'“(]?",
        doc.text,
        regex.I,
    ):
        i = doc.token_at(m.end())
        if i is None or doc.tokens[i].start == m.start():
            continue
        t = doc.tokens[i]
        if hit := name_from(doc, i, False):
            yield "RELATIVE", *hit, 0.75, "relation"
        elif len(t.text) == 1 and t.text.isupper() and doc.text[t.end : t.end + 1] == ".":
            yield "RELATIVE", t.start, t.end + 1, 0.5, "relation"
        elif (
            doc.note == "mixed"
            and t.is_capitalised
            and t.is_word
            and len(t.text) > 2
            and doc.text[m.end() - 1] == " "
            and m.group().count(",") == 0
            and first_name_rank(t.text) < 10**6
            and fold(t.text) not in clinical_words()
            and fold(t.text) not in _NOT_NAMES
        ):
            yield "RELATIVE", t.start, t.end, 0.6, "relation"
        # "sons A and B"
        if hit:
            at = hit[1]
            for _ in range(4):
                sep = regex.compile(r",? ?(?:\(\d{1,2}\))?,? ?(?:and|&|,)? ?").match(doc.text, at)
                j = doc.token_at(sep.end()) if sep and sep.end() > at else None
                if (
                    j is None
                    or not regex.search(r"and|&|,", sep.group())
                    or first_name_rank(doc.tokens[j].text) > 10**5
                    or not (more := name_from(doc, j, False))
                ):
                    break
                yield "RELATIVE", *more, 0.6, "relation"
                at = more[1]
    for m in regex.finditer(
        rf"(?<![\w-])([\p{{L}}'’-]{{3,}})(?:, | \()(?:his|her|their|my|the|pt's|patient's)[ ](?:{_RELATION})\b",
        doc.text,
        regex.I,
    ):
        i = doc.starts.get(m.start(1))
        if i is not None and plausible(doc, doc.tokens[i], False):
            yield "RELATIVE", m.start(1), m.end(1), 0.6, "relation"


def _credentials(doc: _Text) -> Iterator[Found]:
    creds = "|".join(
        sorted(
            (
                regex.escape(w)
                for w in lexicon("credentials")
                if len(w) > 1 and w not in ("ma", "ms", "pt", "ot", "rt", "do", "dc", "od", "np")
            ),
            key=len,
            reverse=True,
        )
    )
    word = r"(?:\p{L}[\p{L}'’]*\.?(?:-\p{L}[\p{L}'’]*)*)"
    flags = regex.I if doc.note != "mixed" else 0
    pattern = rf"(?<![\w'’])({word}(?:[ ]{word}){{0,3}})(?:,[ ]?|[ ])(?i:M\.D\.|D\.O\.|{creds}|(?-i:MA|MS|PT|OT|RT|DO|DC|OD|NP|ATC))\b"
    for m in regex.finditer(pattern, doc.text, flags):
        pieces = list(regex.finditer(r"\S+", m[1]))
        # Walk back from the credential over words that can be a name.
        start = None
        for p in reversed(pieces):
            word_text = p.group().rstrip(".")
            low = fold(word_text)
            ok = (
                len(word_text) == 1
                or low in _PARTICLES
                or (
                    low not in _NOT_NAMES
                    and low not in lexicon("credentials")
                    and low not in clinical_words()
                    and low not in lexicon("note_words")
                    and (word_text[0].isupper() or doc.note == "lower" or not is_ordinary(low))
                    and (
                        not is_ordinary(low)
                        or (
                            word_text[0].isupper()
                            and (
                                low in lexicon("word_names")
                                or name_rank(low) < 5000
                                or start is None
                                and doc.note == "mixed"
                                and low not in lexicon("staff")
                            )
                        )
                    )
                )
            )
            if not ok:
                break
            start = m.start(1) + p.start()
        if start is not None:
            yield "DOCTOR", start, m.end(1), 0.8, "credential"


def _orders(doc: _Text) -> Iterator[Found]:
    """LAST, FIRST without a heading, where both can be names."""
    for m in regex.finditer(
        r"(?<![\w'’-])([\p{Lu}][\p{L}'’]+(?:-\p{Lu}[\p{L}'’]+)?),[ ]?(\p{Lu}[\p{L}'’]*(?:-\p{Lu}\p{L}+)?\.?)(?:[ ](\p{Lu})\b\.?)?",
        doc.text,
    ):
        last, first = m[1], m[2].rstrip(".")
        lows = (fold(last), fold(first))
        if any(
            w in _NOT_NAMES or w in lexicon("credentials") or w in clinical_words() or w in lexicon("cities")
            for w in lows
        ):
            continue
        line_start = doc.text.rfind("\n", 0, m.start()) + 1
        heading = not doc.text[line_start : m.start()].strip() or doc.text[m.start() - 2 : m.start()] == "  "
        surname = surname_rank(last.split("-")[0]) < 10**5 and not is_ordinary(last)
        if len(first) == 1:
            if (surname or (heading and not is_ordinary(last))) and regex.match(
                r"\.?(?:[ ]{2}|\s*$|\s*[\n(#;/]|[ ]\d)", doc.text[m.end(2) - (m[2][-1] == ".") :]
            ):
                yield "PATIENT", m.start(), m.end(2), 0.7, "order"
        elif (
            first_name_rank(first.split("-")[0]) < 10**5
            and (surname or heading and not is_ordinary(last))
            and (not is_ordinary(first) or surname and heading)
        ):
            yield "PATIENT", m.start(), m.end(), 0.7, "order"


def _initials(doc: _Text) -> Iterator[Found]:
    """ "J. Broussard", "s. kowal", "L Tafoya"."""
    for m in regex.finditer(
        r"(?<![\w'’.-])(\p{L})\.(?:[ ]?\p{L}\.)?[ ]?(\p{L}[\p{L}'’]{2,}(?:-\p{Lu}[\p{L}'’]+)?)(?![\w])",
        doc.text,
    ):
        low = fold(m[2])
        if (
            low in clinical_words()
            or low in _NOT_NAMES
            or (
                is_ordinary(low)
                and not (m[2][0].isupper() and (low in lexicon("word_names") or name_rank(low) < 5000))
            )
        ):
            continue
        if (
            m[2][0].isupper()
            and m[1].isupper()
            or (m[1].islower() and m[2].islower() and surname_rank(low) < 90000)
        ):
            yield "DOCTOR", m.start(), m.end(), 0.65, "initial"
    for m in regex.finditer(
        r"(?<![\w'’.-])(\p{Lu}) (\p{Lu}\p{Ll}[\p{L}'’]{1,}(?:-\p{Lu}[\p{L}'’]+)?)(?![\w])", doc.text
    ):
        low = fold(m[2])
        if (
            surname_rank(low) < 90000
            and not is_ordinary(low)
            and low not in clinical_words()
            and m[1] not in "LRXIVTCS"
            or surname_rank(low) < 90000
            and not is_ordinary(low)
            and (
                doc.text[: m.start()].endswith("\n")
                or regex.match(r",? (?:MD|DO|RN|NP|PA|PT|C?RNA|LPN)\b", doc.text[m.end() :])
            )
        ):
            yield "DOCTOR", m.start(), m.end(), 0.5, "initial"


def _greetings(doc: _Text) -> Iterator[Found]:
    for m in regex.finditer(rf"(?<!\w){_HELLO}[,.!]?[ ](?=\p{{L}})", doc.text, regex.I):
        i = doc.token_at(m.end())
        if i is None or not doc.tokens[i].is_capitalised or not doc.tokens[i].is_word:
            continue
        t = doc.tokens[i]
        if (
            regex.match(r"[,.!?—–-]|\s*$|\s*\n", doc.text[t.end :])
            and fold(t.text) not in _NOT_NAMES
            and (first_name_rank(t.text) < 10**5 or not is_ordinary(t.text))
            and not lexicon("relations") & {fold(t.text)}
        ):
            yield "PATIENT", t.start, t.end, 0.7, "greeting"
    # A speaker's label in a dialogue.
    for m in regex.finditer(
        r"(?m)^(?:\[?\d{1,2}:\d{2}(?::\d{2})?\]?[ ])?([\p{Lu}][\p{L}'’.-]+(?: \p{Lu}[\p{L}'’.-]*)?):(?=[ ])",
        doc.text,
    ):
        low = fold(m[1].split()[0])
        if first_name_rank(low) < 10**5 and not is_ordinary(low) and low not in clinical_words():
            yield "RELATIVE", m.start(1), m.end(1), 0.6, "speaker"
    # A vocative before the end of a sentence.
    for m in regex.finditer(r", (\p{Lu}\p{Ll}{2,})(?=[.?!,])", doc.text):
        if (
            first_name_rank(m[1]) < 10**5
            and not is_ordinary(m[1])
            and fold(m[1]) not in clinical_words()
            and fold(m[1]) not in lexicon("cities")
        ):
            yield "PATIENT", m.start(1), m.end(1), 0.5, "vocative"


def _census(doc: _Text) -> Iterator[Found]:
    """Capitalised words that are names and nothing else, wherever they stand."""
    tokens = doc.tokens
    for i, t in enumerate(tokens):
        low = fold(t.text).removesuffix("'s")
        if (
            not t.is_word
            or len(low) < 3
            or low in _NOT_NAMES
            or low in lexicon("cities")
            or low in clinical_words()
        ):
            continue
        style = doc.style(t.start)
        if style == "mixed" and (not t.is_capitalised or t.is_upper and len(low) < 4):
            continue
        if is_ordinary(low) or low in lexicon("note_words") or low in lexicon("relations"):
            continue
        first, last = first_name_rank(low), surname_rank(low)
        if style == "mixed":
            score = 0.5 if first < 10**5 else 0.4 if last < 30000 else 0.0
        else:
            score = 0.45 if first < 2000 or last < 8000 else 0.0
        if score and (hit := name_from(doc, i, False)):
            yield "RELATIVE", *hit, score, "census"
