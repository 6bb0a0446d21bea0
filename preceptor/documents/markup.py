"""XML and HTML, parsed so that a hostile file can do nothing, and turned into lines as readers see them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from preceptor.documents.errors import unreadable
from preceptor.documents.text import decode

if TYPE_CHECKING:
    from lxml.etree import _Element

_PROLOG = re.compile(r"\s*<\?xml[^>]*\?>")
_DECLARED = re.compile(
    rb"""<\?xml[^>]*encoding=["']([\w.-]+)|<meta[^>]*charset=["']?([\w.-]+)""", re.IGNORECASE
)
_DROPPED = frozenset({"script", "style", "head", "template", "noscript"})
# HTML's blocks and those of the CDA narrative (StrucDoc.Text); names do not clash.
_BLOCKS = frozenset((
    "p", "div", "section", "article", "header", "footer", "main", "aside", "nav", "address", "blockquote",
    "pre", "fieldset", "form", "figure", "figcaption", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li",
    "dl", "dt", "dd", "table", "caption", "hr", "body", "paragraph", "list", "item", "text", "title", "footnote",
))  # fmt: skip
_ROW_GROUPS = frozenset({"table", "thead", "tbody", "tfoot"})
_MOST_SPANNED = 50  # columns or rows that one cell may take: wider than any table that people read
_SPACE = re.compile(r"[ \t\r\n\f]+")
_PRE = re.compile(r"white-space\s*:\s*(pre|break-spaces)", re.IGNORECASE)


def parse_xml(data: bytes) -> _Element:
    """Return the root of an XML document, without entities, DTD, network or oversized trees.

    Raises `UnreadableFile`: `xml-doctype` for any declaration of a document type, `xml-corrupt` otherwise.
    """
    from lxml import etree

    text = _decode_declared(data)
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise unreadable("xml-doctype")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        return etree.fromstring(_PROLOG.sub("", text, count=1).strip().encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise unreadable("xml-corrupt") from None


def parse_html(data: bytes) -> _Element:
    """Return the root of an HTML page, however untidy. Raises `UnreadableFile` if there is nothing in it."""
    from lxml import etree, html

    text = _PROLOG.sub("", _decode_declared(data), count=1)
    parser = html.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return html.document_fromstring(text.encode(), parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        raise unreadable("html-corrupt") from None


def _decode_declared(data: bytes) -> str:
    declared = _DECLARED.search(data[:2048])
    if declared:
        encoding = (declared[1] or declared[2]).decode()
        try:
            return data.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
        except (UnicodeDecodeError, LookupError):
            pass  # files lie about this more often than not; the strict rules for text decide instead
    return decode(data)


def tag(element: _Element) -> str:
    """An element's name without its namespace; empty for what is no element (comments, entities)."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def flow(element: _Element) -> str:
    """Return the text below an element: blocks on lines of their own, list items marked, table rows on one line.

    White space collapses as browsers do it, except under `pre`; no-break spaces become spaces. Cells are
    joined by ` | `.
    """
    page = _Page()
    _walk(element, page, pre=False)
    return page.text()


class _Page:
    """Lines under construction."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line = ""
        self.marker = ""  # of the list item that has just begun
        self.spans: dict[int, int] = {}  # column -> rows below in which a cell from above still stands there

    def write(self, text: str, pre: bool) -> None:
        if pre:
            *whole, rest = text.replace("\r\n", "\n").split("\n")
            for part in whole:
                self.line += part
                self.end()
            self.line += rest
            return
        text = _SPACE.sub(" ", text)
        if not self.line or self.line.endswith(" "):
            text = text.lstrip(" ")
        self.line += text

    def end(self) -> None:
        """End the line, even an empty one."""
        self.lines.append(self.line.replace("\xa0", " ").rstrip())
        self.line = ""

    def block(self) -> None:
        """Make sure that what follows begins a line, or stands behind the marker of its list item."""
        if self.marker and self.line == self.marker:
            return
        if self.line.strip(" "):
            self.end()
        self.line = ""

    def text(self) -> str:
        self.block()
        return "\n".join(self.lines).strip("\n")


def _walk(element: _Element, page: _Page, pre: bool) -> None:
    name = tag(element)
    if (
        name in _DROPPED or not name or element.get("revised") == "delete"
    ):  # what the narrative has struck out
        return
    if name == "br":
        page.end()
        return
    if name == "tr":
        page.block()
        _row(element, page)
        return
    pre = pre or name in ("pre", "textarea") or bool(_PRE.search(element.get("style") or ""))
    block = name in _BLOCKS
    if block:
        page.block()
    if name in ("li", "item"):
        page.line = page.marker = _marker(element)
    if name in _ROW_GROUPS:
        page.spans = {}  # no cell reaches out of its group of rows
    page.write(element.text or "", pre)
    # A table's foot is written before its body and shown below it.
    for child in sorted(element, key=lambda part: tag(part) == "tfoot") if name == "table" else element:
        _walk(child, page, pre)
        page.write(child.tail or "", pre)
    if block:
        page.marker = ""
        page.block()


def _marker(item: _Element) -> str:
    owner = item.getparent()
    if owner is not None and (tag(owner) == "ol" or owner.get("listType") == "ordered"):
        same = [child for child in owner if tag(child) == tag(item)]
        return f"{same.index(item) + 1}. "
    return "- "


def _row(row: _Element, page: _Page) -> None:
    cells = [cell for cell in row if tag(cell) in ("td", "th")]
    texts = [_cell(cell) for cell in cells]
    if any(tag(inner) == "tr" for cell in cells for inner in cell.iter()):
        # A table inside a table is page layout: its parts are read one after the other.
        page.lines += [line for text in texts for line in text.split("\n")]
    elif any(texts):
        said = [" ".join(text.split("\n")) for text in texts]
        page.lines.append(" | ".join(_columns(cells, said, page)).rstrip(" |"))


def _columns(cells: list[_Element], texts: list[str], page: _Page) -> list[str]:
    """The texts of a row's cells with an empty place for every column that a wider or higher cell takes.

    A value then stands in the same place as its heading: `Drug | Dose`, `Apixaban | 5 mg`, ` | 10 mg`.
    """
    row: list[str] = []
    above = page.spans
    page.spans = {column: rows - 1 for column, rows in above.items() if rows > 1}
    for cell, text in zip(cells, texts, strict=True):
        while len(row) in above:
            row.append("")
        for n in range(_span(cell, "colspan")):
            if (rows := _span(cell, "rowspan")) > 1:
                page.spans[len(row)] = rows - 1
            row.append("" if n else text)
    return row


def _span(cell: _Element, name: str) -> int:
    value = (cell.get(name) or "").strip()
    return min(max(int(value), 1), _MOST_SPANNED) if re.fullmatch(r"[0-9]{1,5}", value) else 1


def _cell(cell: _Element) -> str:
    page = _Page()
    page.write(cell.text or "", pre=False)
    for child in cell:
        _walk(child, page, pre=False)
        page.write(child.tail or "", pre=False)
    return page.text()
