"""Names that are known, found in a text in whatever form they are written there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import regex

from preceptor.deid.tokens import Token, case_style, fold, tokenize
from preceptor.deid.words import clinical_words, first_name_rank, is_english, is_ordinary, lexicon, name_rank
from preceptor.records import Span

_TITLE = regex.compile(
    r"^(?:dr|mr|mrs|ms|miss|prof|rev|sgt)\.? |,? (?:md|do|rn|np|phd|pa-c|pa|lcsw|dpt|jr\.?|sr\.?|iii?)$|\s*\([^)]*\)",
    regex.I,
)
_WORDS = regex.compile(r"\p{L}[\p{L}'’]*")
_INITIALS_BEFORE = regex.compile(r"(?<![\p{L}'’])\p{L}\.?(?: ?\p{L}\.)? ?$")
# "Ruelas, M 24F" · "Ruelas M." · "RUELAS M J  6 y" - but not "Ruelas A fib".
_INITIAL_AFTER = regex.compile(
    r", ?\p{Lu}(?![\p{L}'’])\.?(?: ?\p{Lu}(?![\p{L}'’])\.?)?"
    r"|(?: \p{Lu}\.(?![\d\p{L}]))+"
    r"|(?: \p{Lu}){1,2}(?= {2}| (?:jr|sr|ii|iii)\b|\s*(?:$|[,;|)(\n:]))",
    regex.I,
)
_SUFFIX = regex.compile(r",? ?(?:jr|sr|ii|iii|iv)\b\.?", regex.I)
_CALLED = regex.compile(
    r"""(?:-\p{L}+)?,?\s?(?:\(?["“”‘']{1,2}(?P<quoted>\p{L}[\p{L}'’ ]{1,14})["“”’']{1,2}\)?|\((?P<bare>\p{Lu}\p{Ll}{2,11})\))"""
)
_PAIR = regex.compile(r"(?<![\w.])(\p{Lu})\.? ?(\p{Lu})(?:\.? ?(\p{Lu}))?(?:\.|(?![\w.]))")
_PAIR_CUE = regex.compile(r"(?:patient|client|pt|initials?:?) $", regex.I)
_TITLED_INITIAL = regex.compile(
    r"\b(?:mr|mrs|ms|miss|mx|dr|patient|client|pt|sr|sra)\.? (?P<v>(?P<letter>\p{Lu})\.?)(?=[ \n:,;)]|$)",
    regex.I,
)
_NAME_CUE = regex.compile(r"\b(?:mr|mrs|ms|miss|dr|patient|pt|client|mx|name|re)\b[.:]?\s*$", regex.I)
_INSIDE = regex.compile(r"[\p{Ll},;\d)] $")
_ALONE = regex.compile(r"(?:'s|’s)?(?:\s*[.,;:!?)]|\s+\p{Ll})")
_SPELLED = regex.compile(r"(?<![\p{L}\d])(?:\p{L}[- ]){2,}\p{L}(?![\p{L}\d])")
_SCANNED = regex.compile(r"(?=[\d|]*\p{L})(?=\p{L}*[\d|])[\p{L}\d|]{4,}")
_DIMINUTIVE = regex.compile(r"(?:ie|ey|i|y)$")
_MONTHS = frozenset({"may", "june", "april", "august"})
_LOOKS_LIKE = str.maketrans("015|i8", "olsllb")
_SHORTEST = 3  # letters of a short form
_USUAL_FIRST_NAME = 2000  # census rank
_NEARBY = 5  # characters between the words of one name


def name_words(name: str) -> list[str]:
    """The words of a name without titles and credentials."""
    return list(_WORDS.findall(_TITLE.sub("", _TITLE.sub("", name))))


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


class NameFinder:
    """Finds the words of these people's names in texts: exact, possessive, one letter off, nicknames, short forms,
    initials beside a name or alone where they can only be that, spelled out, misread by a scanner.

    `people`: (type, words of the name, given name first).
    """

    def __init__(self, people: Iterable[tuple[str, Sequence[str]]], source: str) -> None:
        self._source = source
        self._wanted: dict[str, str] = {}
        self._fuzzy: list[tuple[str, str]] = []
        self._given: list[tuple[str, str]] = []
        self._initials: dict[str, str] = {}
        self._letters: dict[str, str] = {}
        for kind, words in people:
            self._add(kind, [fold(word).removesuffix("'s") for word in words])
        self._misread = {w.translate(_LOOKS_LIKE): kind for w, kind in self._wanted.items() if len(w) >= 4}

    def _add(self, kind: str, words: Sequence[str]) -> None:
        for place, low in enumerate(words):
            if len(low) < 2:
                continue
            self._wanted.setdefault(low, kind)
            if len(low) >= 5:
                self._fuzzy.append((low, kind))
            if place == 0:
                for nick in _nicknames().get(low, ()):
                    if len(nick) >= _SHORTEST:
                        self._wanted.setdefault(nick, kind)
                if len(low) > _SHORTEST + 1:
                    self._given.append((low, kind))
        letters = [word[0] for word in words if word]
        for letter in letters:
            self._letters.setdefault(letter, kind)
        if len(letters) >= 2:
            self._initials.setdefault(letters[0] + letters[-1], kind)
            self._initials.setdefault("".join(letters), kind)

    def find(self, text: str) -> list[Span]:
        """The spans in a text, overlapping where a name is found in two ways."""
        if not self._wanted:
            return []
        mixed = case_style(text) == "mixed"
        tokens = tokenize(text)
        words = [s for n, t in enumerate(tokens) if t.is_word and (s := self._word(text, tokens, n, mixed))]
        words += self._other_writings(text)
        beside = [s for word in words for s in self._beside(text, word, mixed)]
        return [*words, *beside, *self._lone_initials(text)]

    def _word(self, text: str, tokens: Sequence[Token], n: int, mixed: bool) -> Span | None:
        token = tokens[n]
        low = fold(token.text)
        cut = 2 if low.endswith("'s") else 0
        low = low.removesuffix("'s")
        kind = self._wanted.get(low) or ("'" in low and self._wanted.get(low.replace("'", ""))) or None
        usual = len(low) < 3 or is_ordinary(low) or low in clinical_words()
        if kind is None:
            if usual or not (token.is_capitalised or not mixed):
                return None
            kind = self._short_form(low) or (self._one_off(low) if len(low) >= 4 else None)
        elif usual and not self._stands_as_name(text, tokens, n, mixed):
            return None
        return Span(token.start, token.end - cut, kind, 0.93, self._source) if kind else None

    def _one_off(self, low: str) -> str | None:
        return next(
            (k for w, k in self._fuzzy if (w[0] == low[0] or w[-1] == low[-1]) and near(w, low)), None
        )

    def _short_form(self, low: str) -> str | None:
        """`Luz` for Luzviminda, `Yesi` for Yesenia, `Kenzie` for Mackenzie."""
        stem = _DIMINUTIVE.sub("", low)
        return next(
            (
                kind
                for name, kind in self._given
                if name.startswith(low)
                or (len(stem) >= _SHORTEST and stem != low and name.startswith(stem))
                or (len(low) >= 5 and name.endswith(low))
            ),
            None,
        )

    def _stands_as_name(self, text: str, tokens: Sequence[Token], n: int, mixed: bool) -> bool:
        """Whether an ordinary word stands where a name would: capitals inside a sentence, or beside another name."""
        token = tokens[n]
        beside = any(
            fold(other.text) in self._wanted
            and fold(other.text) != fold(token.text)
            and max(other.start - token.end, token.start - other.end) < _NEARBY
            and (not is_ordinary(other.text) or other.is_capitalised)
            for m in (n - 1, n + 1, n - 2, n + 2)
            if 0 <= m < len(tokens) and (other := tokens[m]).is_word
        )
        if beside or _NAME_CUE.search(text, max(0, token.start - 12), token.start):
            return True
        if not mixed or not token.is_capitalised or (token.is_upper and len(token.text) < 4):
            return False
        low = fold(token.text).removesuffix("'s")
        if low in _MONTHS:
            return False
        if first_name_rank(low) < _USUAL_FIRST_NAME and not is_english(low):
            return True
        return bool(
            _INSIDE.search(text, max(0, token.start - 2), token.start)
            or (token.start and name_rank(token.text) < 20000 and _ALONE.match(text, token.end))
        )

    def _other_writings(self, text: str) -> Iterator[Span]:
        """Names spelled out, `B-I-R-D`, and those in which a scanner put digits, `Wa1ter`."""
        for m in _SPELLED.finditer(text):
            if kind := self._wanted.get(fold(regex.sub(r"[- ]", "", m.group()))):
                yield Span(m.start(), m.end(), kind, 0.93, self._source)
        for m in _SCANNED.finditer(text):
            if kind := self._misread.get(fold(m.group()).translate(_LOOKS_LIKE)):
                yield Span(m.start(), m.end(), kind, 0.93, self._source)

    def _beside(self, text: str, span: Span, mixed: bool) -> Iterator[Span]:
        """Initials, suffixes and nicknames that touch a name."""

        def one(start: int, end: int, score: float = 0.9) -> Span:
            return Span(start, end, span.type, score, self._source)

        before = _INITIALS_BEFORE.search(text, max(0, span.start - 8), span.start)
        if before and (before.group().strip(" .")[:1].isupper() or not mixed):
            yield one(before.start(), span.end)
        end = span.end
        for pattern in (_INITIAL_AFTER, _SUFFIX):
            if (after := pattern.match(text, end)) and (
                after.group().lstrip(", ")[:1].isupper() or not mixed
            ):
                end = after.end()
                yield one(span.start, end)
        if (called := _CALLED.match(text, span.end)) and self._is_nickname(called):
            group = "quoted" if called["quoted"] else "bare"
            yield one(*called.span(group))

    def _is_nickname(self, called: regex.Match) -> bool:
        if called["quoted"]:
            return called["quoted"][0].isupper() and not any(
                fold(w) in clinical_words() or fold(w) in lexicon("relations")
                for w in called["quoted"].split()
            )
        low = fold(called["bare"])
        known = is_english(low) and low not in lexicon("word_names")
        return not (known or is_ordinary(low) or low in lexicon("relations") or low in lexicon("staff"))

    def _lone_initials(self, text: str) -> Iterator[Span]:
        for m in _PAIR.finditer(text):
            kind = self._initials.get(fold("".join(g for g in m.groups() if g)))
            if kind and (
                "." in m.group()
                or _PAIR_CUE.search(text, max(0, m.start() - 12), m.start())
                or (
                    text[m.end() : m.end() + 1] == ":"
                    and text[max(0, m.start() - 1) : m.start()] in ("", "\n")
                )
            ):
                yield Span(m.start(), m.end(), kind, 0.6, self._source)
        for m in _TITLED_INITIAL.finditer(text):
            if (kind := self._letters.get(fold(m["letter"]))) and m["letter"].isupper():
                yield Span(m.start("v"), m.end("v"), kind, 0.8, self._source)
