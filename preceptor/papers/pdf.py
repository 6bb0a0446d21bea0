"""A document as PDF: the same text as the HTML page, A4, with bookmarks, and a foot on every page that says of what facts.

ReportLab lays it out. Its `invariant` switch leaves out the time and the random id, so that the same facts give the
same bytes. The type is DejaVu Sans, which Matplotlib brings; it has the marks of the states.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from preceptor.papers.blocks import Bullets, Document, Entry, State, Table
from preceptor.papers.facts import Facts
from preceptor.papers.html import TO_SUPPLY, heading, legend, made

PLAIN, BOLD = "DejaVuSans", "DejaVuSans-Bold"
_MARGIN = 48  # points; A4 is 595 by 842
_INK, _QUIET, _RULE, _ACCENT = "#1d2430", "#586172", "#c9c6bd", "#0b6e75"
_COLOURS = {
    **dict.fromkeys((State.RECORDED, State.SERVED, State.MET), "#1e6b3c"),
    **dict.fromkeys((State.PARTLY, State.SERVED_PARTLY), "#7a5b12"),
    **dict.fromkeys((State.MISSING, State.NOT_SERVED, State.FAILED), "#a1271f"),
    State.STATED: "#0b5b8a",
}


def pdf(paper: Document, facts: Facts) -> bytes:
    """Return the file."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    _register()
    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN, bottomMargin=_MARGIN + 14,
        title=f"{paper.title}: {facts.ref}", author="Preceptor", subject=paper.about, creator="Preceptor", invariant=1, lang="en",
    )  # fmt: skip
    foot = f"{facts.ref} · {paper.title} · facts {facts.digest_of_facts[:16]}"

    def draw_foot(canvas: Any, _: Any) -> None:
        canvas.setFont(PLAIN, 7)
        canvas.setFillColor(_QUIET)
        canvas.drawString(_MARGIN + 6, _MARGIN - 6, foot)
        canvas.drawRightString(A4[0] - _MARGIN - 6, _MARGIN - 6, f"page {canvas.getPageNumber()}")

    document.build(_story(paper, facts, document), onFirstPage=draw_foot, onLaterPages=draw_foot)
    return stream.getvalue()


def _story(paper: Document, facts: Facts, document: Any) -> list[Any]:
    from reportlab.platypus import Spacer

    story: list[Any] = [
        _said(facts.ref, "quiet"),
        _heading(paper.title, "title", 0),
        _said(paper.about, "body"),
        *(_said(said, "summary") for said in paper.summary),
        Spacer(1, 4),
    ]
    story += [_said(f"{name}: {value}", "quiet") for name, value in heading(facts)]
    states = legend(paper)
    if states:
        story.append(_paragraph(_marks(states), "states"))
    for section in paper.sections:
        story.append(_heading(section.title, "section", 1))
        for block in section.blocks:
            story += _block(block, document.width)
    return [*story, Spacer(1, 14), _said(paper.source, "quiet"), _said(made(facts), "quiet")]


def _block(block: Any, width: float) -> list[Any]:
    if isinstance(block, Entry):
        return _entry(block)
    if isinstance(block, Table):
        return _table(block, width)
    if isinstance(block, Bullets):
        return [_said(f"• {text}", "body") for text in block.items]
    return [_said(block.text, "body")]


def _entry(block: Entry) -> list[Any]:
    """Heading and first paragraph stay together; long ones may run over the page."""
    from reportlab.platypus import CondPageBreak, HRFlowable

    code = f'<font name="{PLAIN}" color="{_QUIET}">{escape(block.code)}</font> ' if block.code else ""
    parts: list[Any] = [
        CondPageBreak(56),
        _paragraph(f"{code}{escape(block.label)}   {_marks(block.states)}", "label"),
    ]
    parts += [_said(text, "body") for text in block.said]
    parts += [_said(f"{State.STATED.mark} {text}", "stated") for text in block.stated]
    if block.needs:
        parts.append(_said(TO_SUPPLY + block.needs, "needs"))
    return [*parts, HRFlowable(width="100%", thickness=0.4, color=_RULE, spaceBefore=4, spaceAfter=3)]


def _table(block: Table, width: float) -> list[Any]:
    from reportlab.platypus import Spacer
    from reportlab.platypus import Table as Grid

    rows = [
        [_said(cell, "headfigure" if block.figures and i else "head") for i, cell in enumerate(block.header)]
    ]
    rows += [
        [_said(cell, "figure" if block.figures and i else "cell") for i, cell in enumerate(row)]
        for row in block.rows
    ]
    grid = Grid(rows, colWidths=_widths(block, width), repeatRows=1, hAlign="LEFT")
    grid.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, _RULE),
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, _INK),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 2.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ]
    )
    caption = [_said(block.caption, "caption")] if block.caption else []
    return [*caption, grid, Spacer(1, 8)]


def _widths(block: Table, width: float) -> list[float]:
    """Columns as wide as their longest word needs, and beyond that by how much is in them."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    columns = list(zip(block.header, *block.rows, strict=True))
    needed = [
        max(stringWidth(word, BOLD, 7.5) for cell in column for word in [*cell.split(), ""]) + 13
        for column in columns
    ]
    wanted = [max(stringWidth(cell, PLAIN, 7.5) for cell in column) + 13 for column in columns]
    over = sum(needed)
    if over >= width:  # a column with a long name of a value: words are broken there
        return [each * width / over for each in needed]
    more = [max(0.0, w - n) for w, n in zip(wanted, needed, strict=True)]
    share = min(1.0, (width - over) / sum(more)) if sum(more) else 0.0
    return [n + m * share for n, m in zip(needed, more, strict=True)]


def _marks(states: Iterable[State]) -> str:
    return "   ".join(
        f'<font name="{PLAIN}" size="7.5" color="{_COLOURS[state]}">{escape(f"{state.mark} {state.word}")}</font>'
        for state in states
    )


def _said(text: str, style: str) -> Any:
    return _paragraph(escape(text), style)


def _heading(text: str, style: str, level: int) -> Any:
    """A heading that is a bookmark, too."""
    from reportlab.platypus import Paragraph

    class Bookmarked(Paragraph):
        def draw(self) -> None:
            self.canv.bookmarkPage(f"{level} {text}")
            self.canv.addOutlineEntry(text, f"{level} {text}", level, closed=level > 0)
            super().draw()

    return Bookmarked(escape(text), _styles()[style])


def _paragraph(markup: str, style: str) -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(markup, _styles()[style])


@cache
def _register() -> None:
    import matplotlib
    from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name in (PLAIN, BOLD):
        registerFont(TTFont(name, folder / f"{name}.ttf"))
    registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=PLAIN, boldItalic=BOLD)


@cache
def _styles() -> dict[str, Any]:
    from reportlab.lib.enums import TA_RIGHT
    from reportlab.lib.styles import ParagraphStyle

    def style(name: str, font: str, size: float, **more: Any) -> ParagraphStyle:
        given = {
            "fontName": font,
            "fontSize": size,
            "leading": size * 1.4,
            "textColor": _INK,
            "splitLongWords": 1,
        }
        return ParagraphStyle(name, **(given | more))

    found = (
        style("title", BOLD, 17, spaceAfter=4, leading=21),
        style("section", BOLD, 11.5, spaceBefore=12, spaceAfter=5, textColor=_ACCENT, keepWithNext=1),
        style("label", BOLD, 8.8, keepWithNext=1),
        style("states", PLAIN, 7.5, spaceAfter=1, keepWithNext=1),
        style("body", PLAIN, 8.8, spaceAfter=2),
        style("stated", PLAIN, 8.8, spaceAfter=2, leftIndent=8, borderColor="#0b5b8a"),
        style(
            "needs",
            PLAIN,
            8,
            spaceBefore=1,
            backColor="#f3f1ea",
            borderPadding=(2, 4, 2, 4),
            leftIndent=4,
            rightIndent=4,
        ),
        style("summary", BOLD, 8.8, spaceBefore=3, spaceAfter=3),
        style("quiet", PLAIN, 7.5, textColor=_QUIET),
        style("caption", PLAIN, 7.5, textColor=_QUIET, spaceBefore=5, spaceAfter=2, keepWithNext=1),
        style("head", BOLD, 7.2, textColor=_QUIET),
        style("headfigure", BOLD, 7.2, textColor=_QUIET, alignment=TA_RIGHT),
        style("cell", PLAIN, 7.5),
        style("figure", PLAIN, 7.5, alignment=TA_RIGHT),
    )
    return {each.name: each for each in found}
