"""Reference texts for retrieval: guidelines and leaflets of a folder, cut into passages that can be cited."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from preceptor.documents.limits import DEFAULT
from preceptor.documents.registry import read_file
from preceptor.errors import PreceptorError, UsageError

SUFFIXES = (".txt", ".md", ".pdf")
_WORDS = 120  # of a passage; a paragraph that is longer is cut


@dataclass(frozen=True, slots=True)
class Passage:
    """`id` is FILE#NUMBER, from 1."""

    id: str
    text: str


def read_passages(folder: Path) -> list[Passage]:
    """Return the passages of all text, Markdown and PDF files in a folder and below, in the order of their names.

    Raises `UsageError` for a folder that is not there or has no such file, `PreceptorError` naming a file that cannot be read.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
    if not files:
        raise UsageError(
            f"evaluation.reference_texts: {folder} holds no file that ends in {', '.join(SUFFIXES)}. Name the folder of the "
            "reference texts, or leave the setting empty."
        )
    found = []
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            _, parsed = read_file(file, DEFAULT)
        except PreceptorError as error:
            raise PreceptorError(f"evaluation.reference_texts: {name}: {error}") from None
        text = "\n\n".join(document.text for document in parsed.documents)
        found += [Passage(f"{name}#{n}", part) for n, part in enumerate(cut(text), start=1)]
    return found


def cut(text: str, most: int = _WORDS) -> list[str]:
    """Join whole paragraphs to passages of at most `most` words; a longer paragraph is cut at words.

    >>> cut("a b\\n\\nc\\n\\nd e f g", most=3)
    ['a b\\n\\nc', 'd e f', 'g']
    """
    pieces = []
    for paragraph in text.split("\n\n"):
        words = paragraph.split()
        if len(words) <= most:
            pieces += [(paragraph.strip(), len(words))] if words else []
            continue
        parts = [words[i : i + most] for i in range(0, len(words), most)]
        pieces += [(" ".join(part), len(part)) for part in parts]
    passages: list[str] = []
    room = 0
    for piece, length in pieces:
        if passages and length <= room:
            passages[-1] += f"\n\n{piece}"
            room -= length
        else:
            passages.append(piece)
            room = most - length
    return passages
