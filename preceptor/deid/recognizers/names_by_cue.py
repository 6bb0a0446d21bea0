"""Names that something beside them announces: a title, a label, a relation, a credential, a greeting, a speaker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import regex
from presidio_analyzer import EntityRecognizer, RecognizerResult

from preceptor.deid.recognizers.name_runs import is_known_name, is_never_name, run_backward, run_forward
from preceptor.deid.recognizers.rule import result
from preceptor.deid.tokens import Token, case_style, fold, tokenize
from preceptor.deid.words import clinical_words, first_name_rank, is_ordinary, lexicon

if TYPE_CHECKING:
    from presidio_analyzer.nlp_engine import NlpArtifacts

_DOCTOR_TITLES = "dr drs doctor prof professor nurse sister"
_OTHER_TITLES = (
    "mr mrs ms miss mx mister missus sgt sergeant cpl corporal pvt lt lieutenant capt captain col colonel maj major gen rev "
    "reverend fr pastor rabbi imam deacon officer detective deputy sheriff trooper judge atty attorney coach "
    "principal aunt auntie uncle grandma grandpa granny nana cousin tia tio tía tío lady sir madam señora señor "
    "sra sr abuela chief agent senator bishop elder"
)
_TITLE = {
    **dict.fromkeys(_DOCTOR_TITLES.split(), "DOCTOR"),
    **dict.fromkeys(_OTHER_TITLES.split(), "RELATIVE"),
}
# Titles that are words too: they must be capitalised or followed by a known name.
_WORDY_TITLES = frozenset(
    "sister nurse coach officer principal judge doctor chief major general agent elder uncle aunt cousin lady captain "
    "pastor professor attorney detective deputy sheriff sr fr gen miss grandma grandpa".split()
)
_PATIENT_LABEL = (
    r"(?:patient(?:'?s)?(?: name)?|pt(?:\.|'s)?(?: name)?|name(?: of patient)?|narne|client(?: name)?|member(?: name)?|resident|re|regarding|"
    r"subject|consumer|participant|aka|a\.k\.a\.|preferred name|former name|maiden name|formerly|n[ée]e|alias|legal name|"
    r"last name|first name|surname|given name|full name|individual)"
)
_CALLED = (
    r"\b(?:goes by|known as|called|call (?:him|her|me|them)|nicknamed|named|name is|name's|names are|i am|i'm|this is|"
    r"a\.?k\.?a\.?|n[ée]e|prefers(?: to be called)?|introduced (?:him|her)self as|by the name of|answers to)\b[ ,:\"“‘']{1,3}"
)
_GREETING = (
    r"(?:^|[\n\"“.!?]\s*|:\s)(?:dear|hi|hello|hey|good (?:morning|afternoon|evening)|morning|afternoon|evening|thanks|thank you|"
    r"welcome(?: back)?|okay|ok|so|well|all right|alright|bye|goodbye|sorry|congratulations|no|yes|yeah|right|great|good)[, ]{1,2}"
)
_CLOSING = (
    r"(?:sincerely|(?:best|kind|warm|with kind|with best)? ?regards|best(?: wishes)?|thanks|thank you|many thanks|yours(?: truly| sincerely| "
    r"faithfully)?|respectfully|cordially|cheers|love|peace|gratefully|take care)[,.]?[ ]*\n{1,3}[ \t]*"
)


def _alternatives(name: str) -> str:
    return "|".join(
        regex.escape(word).replace(r"\ ", r"[ ]") for word in sorted(lexicon(name), key=len, reverse=True)
    )


def is_name_start(token: Token, style: str) -> bool:
    """Whether a word could begin a name where only a weak cue announces it."""
    word = token.text
    if not token.is_word or is_never_name(word):
        return False
    if style == "mixed":
        return token.is_capitalised and not (token.is_upper and len(word) <= 4 and not is_known_name(word))
    if len(word) < 2 or fold(word) in clinical_words():
        return False
    return is_known_name(word) and not is_ordinary(word) or not is_ordinary(word) and style == "upper"


class CuedNameRecognizer(EntityRecognizer):
    """PATIENT, DOCTOR and RELATIVE. The cue tells which; a name that no cue types is RELATIVE (a third person)."""

    def __init__(self) -> None:
        super().__init__(supported_entities=["PATIENT", "DOCTOR", "RELATIVE"], name="CuedName")
        relations, staff = _alternatives("relations"), _alternatives("staff")
        self._label_patient = regex.compile(
            rf"(?<![\w]){_PATIENT_LABEL}[ ]?(?:[:|]|\s-\s|#?(?=\t))[ \t|]*", regex.I
        )
        self._label_staff = regex.compile(
            rf"(?<![\w])(?:{staff})(?:[ ](?:md|provider|physician|name|of record|surgeon|nurse))?(?:\(s\))?[ ]?[:|][ \t|]*",
            regex.I,
        )
        self._label_relation = regex.compile(
            rf"(?<![\w])(?:{relations}|caller|informant|guarantor|insured|beneficiary|emergency)(?:[ ](?:name|contact))?[ ]?[:|][ \t|]*",
            regex.I,
        )
        self._relation = regex.compile(
            rf"\b(?:{relations})(?:[ ]?\((?!\d)|[ ](?:named|is|was|called|and [a-z]+)[ ]|[,:][ ]|['’]s name is |[ ]\"|[ ])",
            regex.I,
        )
        self._relation_after = regex.compile(
            rf"[ ]?[,(][ ]?(?:(?:my|his|her|their|the|patient's|pt's|your|our|an?|who is (?:his|her)|identified as (?:his|her)?)[ ])?(?:older |younger |eldest |late |ex-?|former |step-?)?(?:{relations})\b",
            regex.I,
        )
        self._staff_word = regex.compile(rf"\b(?:{staff})[ ](?!(?:and|or|the|to|for|at|in|of)\b)", regex.I)
        self._by = regex.compile(r"\b(?:by|per|with|cc|attn|c/o|from|w/|d/w|thanks to)[ :]{1,2}", regex.I)
        self._called = regex.compile(_CALLED, regex.I)
        self._greeting = regex.compile(_GREETING, regex.I)
        self._closing = regex.compile(_CLOSING, regex.I)
        self._speaker = regex.compile(
            r"^[ \t]*(?P<v>\p{Lu}[\p{L}'’.-]+(?: \p{Lu}[\p{L}'’.-]*){0,2})[ ]?:(?=\s)", regex.M
        )

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        tokens = tokenize(text)
        starts = {token.start: index for index, token in enumerate(tokens)}
        lines = _line_styles(text)
        found: list[RecognizerResult] = []
        for start, end, type_, score, source in self._finds(text, tokens, starts, lines):
            if end > start and any(c.isalpha() for c in text[start:end]):
                found.append(result(type_, start, end, score, f"CuedName.{source}"))
        return [r for r in found if not entities or r.entity_type in entities]

    def _finds(
        self, text: str, tokens: Sequence[Token], starts: dict[int, int], lines: list[tuple[int, int, str]]
    ) -> Iterator[tuple[int, int, str, float, str]]:
        def style_at(position: int) -> str:
            return next((s for a, b, s in lines if a <= position <= b), "mixed")

        def run(position: int, **how: object) -> tuple[int, int] | None:
            while position < len(text) and text[position] in " \t*_":
                position += 1
            index = starts.get(position)
            if index is None or not tokens[index].is_word:
                return None
            end = run_forward(tokens, index, style_at(position), **how)  # type: ignore[arg-type]
            return (tokens[index].start, tokens[end - 1].end) if end > index else None

        yield from self._titles(text, tokens, style_at)
        yield from self._credentials(text, tokens, style_at)
        for pattern, type_, source in (
            (self._label_patient, "PATIENT", "patient label"),
            (self._label_staff, "DOCTOR", "staff label"),
            (self._label_relation, "RELATIVE", "relation label"),
        ):
            for match in pattern.finditer(text):
                yield from _labelled(text, match, type_, source, run, starts, tokens, style_at)
        for match in self._relation.finditer(text):
            index = starts.get(match.end())
            if (
                index is not None
                and is_name_start(tokens[index], style_at(match.end()))
                and (span := run(match.end(), longest=3))
            ):
                yield (*span, "RELATIVE", 0.8, "relation")
                yield from _coordinated(text, span, starts, tokens, style_at, run)
        for match in self._relation_after.finditer(text):
            index = next((starts[m] for m in _word_start_before(text, match.start()) if m in starts), None)
            if index is not None:
                style = style_at(match.start())
                first = run_backward(tokens, index + 1, style)
                if first <= index and (
                    style == "mixed"
                    or is_known_name(tokens[index].text)
                    and not is_ordinary(tokens[index].text)
                ):
                    if not (
                        is_ordinary(tokens[first].text)
                        and first == index
                        and not is_known_name(tokens[first].text)
                    ):
                        yield tokens[first].start, tokens[index].end, "RELATIVE", 0.75, "relation after"
        for pattern, type_, score, source in (
            (self._staff_word, "DOCTOR", 0.7, "staff"),
            (self._by, "DOCTOR", 0.6, "by"),
            (self._called, "RELATIVE", 0.75, "called"),
            (self._greeting, "RELATIVE", 0.7, "greeting"),
            (self._closing, "RELATIVE", 0.8, "closing"),
        ):
            for match in pattern.finditer(text):
                index = starts.get(match.end())
                if index is None or not is_name_start(tokens[index], style_at(match.end())):
                    continue
                span = run(match.end(), longest=3)
                if span and _is_believable(text[span[0] : span[1]], source):
                    yield (*span, type_, score, source)
        yield from self._speakers(text)

    def _titles(
        self, text: str, tokens: Sequence[Token], style_at
    ) -> Iterator[tuple[int, int, str, float, str]]:
        for index, token in enumerate(tokens):
            type_ = _TITLE.get(token.text.lower())
            if type_ is None:
                continue
            style = style_at(token.start)
            at = index + 1
            if at < len(tokens) and tokens[at].text == "." and tokens[at].start == token.end:
                at += 1
            if (
                at >= len(tokens)
                or not tokens[at].is_word
                or "\n\n" in text[token.end : tokens[at].start]
                or tokens[at].start - tokens[at - 1].end > 2
            ):
                continue
            wordy = token.text.lower() in _WORDY_TITLES and at == index + 1
            if wordy and not is_name_start(tokens[at], style):
                continue
            if wordy and not token.is_capitalised and style == "mixed" and not tokens[at].is_capitalised:
                continue
            if style == "mixed" and not tokens[at].is_capitalised and token.is_capitalised:
                continue
            end = run_forward(tokens, at, style, sure=not wordy, longest=4)
            while end > at:
                yield tokens[at].start, tokens[end - 1].end, type_, 0.9, "title"
                # "Drs. A, B and C", "Dr. A/B"
                plural = token.text.lower() == "drs"
                if (
                    end + 1 < len(tokens)
                    and (tokens[end].text in "/&" or plural and tokens[end].text.lower() in (",", "and"))
                    and tokens[end + 1].is_word
                ):
                    at = end + 1
                    end = run_forward(tokens, at, style, sure=True, longest=4)
                else:
                    break

    def _credentials(
        self, text: str, tokens: Sequence[Token], style_at
    ) -> Iterator[tuple[int, int, str, float, str]]:
        credentials = lexicon("credentials")
        for index, token in enumerate(tokens):
            if not token.is_word and token.text != ".":
                continue
            word = token.text
            dotted = False
            if (
                index + 2 < len(tokens)
                and len(word) == 1
                and tokens[index + 1].text == "."
                and len(tokens[index + 2].text) == 1
            ):
                word, dotted = word + tokens[index + 2].text, True
            if word.lower() not in credentials and not regex.fullmatch(r"[PM]h\.?D|DrPH", word):
                continue
            style = style_at(token.start)
            if style == "mixed" and not (
                word[0].isupper()
                and (
                    dotted
                    or word[1:2].isupper()
                    or word in ("PhD", "PharmD", "PsyD", "EdD", "RPh", "Rn", "Md")
                )
            ):
                continue
            if (
                style != "mixed"
                and word.lower()
                in ("do", "pa", "ma", "ms", "ot", "rt", "pt", "rd", "od", "rma", "atc", "mft", "slp", "md")
                and not _after_comma(tokens, index)
            ):
                if word.lower() not in ("md", "pa"):
                    continue
            end = index
            if end > 0 and tokens[end - 1].text in ",-(":
                end -= 1
            first = run_backward(tokens, end, style)
            if first < end and not all(
                is_never_name(t.text) or len(t.text) == 1 or not t.is_word for t in tokens[first:end]
            ):
                names = [t.text for t in tokens[first:end] if t.is_word and len(t.text) > 1]
                # "Plan PT", "Home RN": one ordinary word is no name without a comma.
                if (
                    len(names) == 1
                    and first == end - 1
                    and is_ordinary(names[0])
                    and end == index
                    and fold(names[0]) not in lexicon("word_names")
                ):
                    continue
                if all(is_ordinary(n) and not is_known_name(n) for n in names):
                    continue
                yield tokens[first].start, tokens[end - 1].end, "DOCTOR", 0.85, "credential"
            elif (
                first == end
                and end > 0
                and style != "upper"
                and regex.fullmatch(r"\p{Ll}{2,3}|\p{Lu}{2,3}", tokens[end - 1].text)
                and end < index
                and tokens[end - 1].text.lower() not in clinical_words()
            ):
                yield tokens[end - 1].start, tokens[end - 1].end, "DOCTOR", 0.6, "initials credential"

    def _speakers(self, text: str) -> Iterator[tuple[int, int, str, float, str]]:
        seen: dict[str, list[tuple[int, int]]] = {}
        for match in self._speaker.finditer(text):
            seen.setdefault(match["v"], []).append(match.span("v"))
        for name, spans in seen.items():
            words = [w for w in regex.findall(r"[\p{L}'’]{2,}", name) if fold(w) not in _TITLE]
            believable = (
                words
                and all(not is_ordinary(w) or is_known_name(w) for w in words)
                and not any(is_never_name(w) for w in words)
            )
            if believable and len(spans) >= 2 and any(is_known_name(w) and not is_ordinary(w) for w in words):
                for start, end in spans:
                    yield start, end, "RELATIVE", 0.8, "speaker"


def _labelled(text, match, type_, source, run, starts, tokens, style_at):
    """The name after a label, and where several are listed with commas or semicolons, all of them."""
    position = match.end()
    for _ in range(5):
        while position < len(text) and text[position] in " \t*_":
            position += 1
        index = starts.get(position)
        if index is None or not tokens[index].is_word:
            return
        word = tokens[index].text
        if (
            fold(word) in _TITLE
            or is_never_name(word)
            and not (type_ == "PATIENT" and source == "patient label" and is_known_name(word))
        ):
            return
        style = style_at(position)
        initials = regex.match(r"[\p{L}]{2,3}(?=\s|$|[,;])", text[position:])
        span = run(position, comma=True, sure=True)
        if not span:
            if (
                initials
                and source == "staff label"
                and fold(initials.group()) not in clinical_words()
                and not is_ordinary(initials.group())
            ):
                yield position, position + initials.end(), type_, 0.7, "initials label"
            return
        if not _plausible_label_value(text[span[0] : span[1]], style, source):
            return
        yield (*span, type_, 0.9, source)
        following = regex.match(r"[ ]?(?:;|/|&|,|\band\b)[ ]?", text[span[1] :])
        if source == "patient label" or not following:
            return
        position = span[1] + following.end()
        nxt = starts.get(position)
        if nxt is None or not is_name_start(tokens[nxt], style) or is_ordinary(tokens[nxt].text):
            return


def _plausible_label_value(value: str, style: str, source: str) -> bool:
    words = list(regex.findall(r"[\p{L}'’]{2,}", value))
    if not words:
        return source == "patient label"
    if all(is_ordinary(w) for w in words):
        # "Plan: Rest" is none; "Patient: May, Gordon" has a known first name; "Attending: Hart" stands alone.
        return any(is_known_name(w) for w in words) and not any(
            fold(w) in clinical_words() and first_name_rank(w) > 2000 for w in words[:1]
        )
    return True


def _is_believable(value: str, source: str) -> bool:
    words = list(regex.findall(r"[\p{L}'’]{2,}", value))
    if not words:
        return False
    if any(not is_ordinary(w) for w in words):
        return not all(fold(w) in clinical_words() for w in words)
    return (
        source in ("called", "closing")
        and any(is_known_name(w) for w in words)
        or len(words) > 1
        and all(is_known_name(w) for w in words)
    )


def _coordinated(text, span, starts, tokens, style_at, run):
    """ "sons Ali, Omar and Zayd": the names that follow the first."""
    end = span[1]
    for _ in range(4):
        match = regex.match(r"(?:, and|,| and| &|/)[ ]?", text[end:])
        if not match:
            return
        position = end + match.end()
        index = starts.get(position)
        if (
            index is None
            or not is_name_start(tokens[index], style_at(position))
            or is_ordinary(tokens[index].text)
            or not is_known_name(tokens[index].text)
        ):
            return
        following = run(position, longest=2)
        if not following:
            return
        yield (*following, "RELATIVE", 0.65, "relation list")
        end = following[1]


def _word_start_before(text: str, end: int) -> Iterator[int]:
    match = regex.search(r"[\p{L}'’]+$", text[max(0, end - 30) : end])
    if match:
        yield max(0, end - 30) + match.start()


def _after_comma(tokens: Sequence[Token], index: int) -> bool:
    return index > 0 and tokens[index - 1].text == ","


def _line_styles(text: str) -> list[tuple[int, int, str]]:
    """(start, end, style) of every line; a line too short to tell takes the note's style."""
    whole = case_style(text)
    styles, at = [], 0
    for line in text.split("\n"):
        letters = sum(c.isalpha() for c in line)
        style = case_style(line) if letters >= 12 else whole
        if whole == "mixed" and style == "lower":
            style = "mixed"  # a line of prose without a capital, in a note that has them elsewhere
        styles.append((at, at + len(line), style))
        at += len(line) + 1
    return styles
