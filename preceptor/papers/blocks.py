"""What a document consists of, before it is HTML or PDF: sections with entries, tables, paragraphs and lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How an entry stands: a mark and a word, so that no colour is needed to tell."""

    RECORDED = ("●", "recorded")
    STATED = ("✎", "stated by people")
    PARTLY = ("◐", "recorded in part")
    MISSING = ("○", "not recorded")
    SERVED = ("●", "served")
    SERVED_PARTLY = ("◐", "served in part")
    NOT_SERVED = ("○", "not served")
    MET = ("●", "met")
    FAILED = ("✗", "not met")

    @property
    def mark(self) -> str:
        return self.value[0]

    @property
    def word(self) -> str:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Entry:
    """One heading of a form: `code` is the source's own number, `said` what is known of it, `needs` what a person would
    have to supply."""

    label: str
    states: tuple[State, ...]
    said: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()
    needs: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a header; the first column is a name, the others are figures where `figures`."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    figures: bool = True


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[str, ...]


Block = Entry | Table | Text | Bullets


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """`key` names its files; `source` is the template or rule that gives its headings, with date."""

    key: str
    title: str
    about: str
    source: str
    sections: tuple[Section, ...]
    summary: tuple[str, ...] = ()


def entry(
    label: str,
    said: Iterable[str | None] = (),
    *,
    stated: str = "",
    setting: str = "",
    needs: str = "",
    enough: bool = True,
    code: str = "",
) -> Entry:
    """Return an entry in the state that follows from what is known.

    `said` are facts (None: not known); `stated` is what people state in the settings under `papers.SETTING`; `needs` is what they
    would have to. `enough`: the facts alone answer the heading.
    """
    facts, people = tuple(text for text in said if text), paragraphs(stated)
    states: tuple[State, ...] = (State.MISSING,)
    if facts and people:
        states = (State.RECORDED, State.STATED)
    elif people:
        states = (State.STATED,)
    elif facts:
        states = (State.RECORDED,) if enough else (State.PARTLY,)
    wanted = ""
    if not people and needs and not (facts and enough):
        wanted = f"{needs} (papers.{setting})" if setting else needs
    return Entry(label, states, facts, people, wanted, code)


def paragraphs(text: str) -> tuple[str, ...]:
    """The paragraphs of a statement, each on one line."""
    return tuple(" ".join(part.split()) for part in text.strip().split("\n\n") if part.strip())


def entries(document: Document) -> list[Entry]:
    """All entries of a document, in order."""
    return [block for section in document.sections for block in section.blocks if isinstance(block, Entry)]


def counted(what: str, found: Sequence[Entry]) -> str:
    """How many entries are in which state: "31 attributes: 12 recorded, …"."""
    order = list(State)
    counts = Counter(" and ".join(state.word for state in each.states) for each in found)
    ranked = sorted(
        counts, key=lambda words: [order.index(s) for s in order if s.word == words.split(" and ")[0]]
    )
    return f"{len(found)} {what}: " + ", ".join(f"{counts[words]} {words}" for words in ranked) + "."
