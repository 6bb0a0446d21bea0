"""PDFs as hospitals make them: columns, headers and footers, tables, forms, turned pages, scans."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable

import pytest
from reportlab.lib.pagesizes import letter
from reportlab.pdfgen.canvas import Canvas

from preceptor.documents import ocr
from preceptor.documents.errors import UnreadableFile
from preceptor.documents.pdf import read

WIDTH, HEIGHT = letter
LEFT = [
    "The patient came with pain in the left",
    "knee that began after a fall from a step",
    "stool two weeks before. It wakes her at",
    "night and is worse on stairs. There was",
    "no locking and no fever. She has taken",
    "ibuprofen with some relief, twice a day.",
    "She walks with a stick held on the right.",
]
RIGHT = [
    "On examination the knee is warm with a",
    "small effusion. Flexion is to one hundred",
    "degrees and extension is full. The joint",
    "line is tender on the inner side, and the",
    "ligaments are firm. Plain films show some",
    "narrowing of the inner compartment. An",
    "injection was offered and was declined.",
]
Draw = Callable[[Canvas], None]


def pdf(*pages: Draw) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=letter, invariant=1)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def text_of(data: bytes) -> str:
    (document,) = read(data).documents
    return document.text


def columns(canvas: Canvas, interleaved: bool = True, shift: float = 0, top: float = 700) -> None:
    rows = [(60, top - 14 * n, line) for n, line in enumerate(LEFT)]
    other = [(320, top - shift - 14 * n, line) for n, line in enumerate(RIGHT)]
    order = [cell for pair in zip(rows, other, strict=True) for cell in pair] if interleaved else rows + other
    for x, y, line in order:
        canvas.drawString(x, y, line)


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("shift", [0, 6])
def test_two_columns_of_prose_are_read_one_after_the_other(interleaved, shift):
    assert text_of(pdf(lambda c: columns(c, interleaved, shift))).split("\n") == LEFT + RIGHT


def test_a_title_and_a_grid_above_columns_come_first_and_what_is_below_last():
    def draw(canvas: Canvas) -> None:
        canvas.drawString(
            60, 760, "ORTHOPAEDIC CLINIC LETTER OF A LENGTH THAT RUNS OVER THE WHOLE PAGE AND MORE"
        )
        canvas.drawString(60, 730, "Patient: Ada Plover")
        canvas.drawString(320, 730, "MRN: 44-1002")
        columns(canvas)
        canvas.drawString(
            60, 560, "Signed by the attending surgeon after the visit, who has read the above twice over."
        )

    lines = text_of(pdf(draw)).split("\n")
    assert lines[0].startswith("ORTHOPAEDIC")
    assert lines[1] == "Patient: Ada Plover   MRN: 44-1002"
    assert lines[2:-1] == LEFT + RIGHT
    assert lines[-1].startswith("Signed")


def test_three_columns():
    third = [line.upper()[:34].rstrip() for line in LEFT]

    def draw(canvas: Canvas) -> None:
        canvas.setFontSize(8)
        for x, column in ((40, LEFT), (230, RIGHT), (420, third)):
            for n, line in enumerate(column):
                canvas.drawString(x, 700 - 14 * n, line)

    assert text_of(pdf(draw)).split("\n") == LEFT + RIGHT + third


def test_a_table_stays_row_by_row():
    rows = [
        ("Sodium", "140 mmol/L", "135-145"),
        ("Potassium", "5.1 mmol/L", "3.5-5.0"),
        ("Urea", "7 mmol/L", "3-8"),
    ] * 3

    def draw(canvas: Canvas) -> None:
        for n, row in enumerate(rows):
            for x, cell in zip((60, 250, 420), row, strict=True):
                canvas.drawString(x, 700 - 14 * n, cell)

    assert text_of(pdf(draw)).split("\n") == ["   ".join(row) for row in rows]


def test_a_grid_of_labels_and_values_stays_row_by_row():
    rows = [(f"Label {n}: value {n}", f"Other {n}: thing {n}") for n in range(9)]

    def draw(canvas: Canvas) -> None:
        for n, row in enumerate(rows):
            canvas.drawString(60, 700 - 14 * n, row[0])
            canvas.drawString(320, 700 - 14 * n, row[1])

    assert text_of(pdf(draw)).split("\n") == ["   ".join(row) for row in rows]


def letter_page(number: int, of: int, middle: list[str]) -> Draw:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(60, 770, "Featherstone Hospital")
        canvas.drawString(60, 756, "Ada Plover, MRN 44-1002")
        for n, line in enumerate(middle):
            canvas.drawString(60, 700 - 14 * n, line)
        canvas.drawString(60, 40, f"Printed 03/04/2024 10:1{number}")
        canvas.drawString(60, 26, f"Page {number} of {of}")

    return draw


def test_headers_and_footers_are_kept_once_and_sentences_run_over_pages():
    pages = [
        letter_page(n + 1, 3, [f"Line one of {n} and", f"line two of visit {n} goes on"]) for n in range(3)
    ]
    assert text_of(pdf(*pages)).split("\n") == [
        "Featherstone Hospital", "Ada Plover, MRN 44-1002",
        "Line one of 0 and", "line two of visit 0 goes on",
        "Line one of 1 and", "line two of visit 1 goes on",
        "Line one of 2 and", "line two of visit 2 goes on",
        "Printed 03/04/2024 10:13", "Page 3 of 3",
    ]  # fmt: skip


def test_values_at_the_ends_of_pages_are_no_footers():
    pages = [letter_page(n + 1, 3, ["x"]) for n in range(3)]
    readings = [f"BP 1{n}0/80 at {n} o'clock" for n in range(3)]

    def with_reading(page: Draw, reading: str) -> Draw:
        def draw(canvas: Canvas) -> None:
            page(canvas)
            canvas.drawString(60, 60, reading)
            canvas.drawString(60, 740, reading.upper())

        return draw

    text = text_of(pdf(*map(with_reading, pages, readings)))
    assert all(reading in text and reading.upper() in text for reading in readings)


def test_what_was_typed_into_a_form_is_read():
    def draw(canvas: Canvas) -> None:
        canvas.drawString(60, 700, "Referral form")
        canvas.acroForm.textfield(
            name="reason", tooltip="Reason", value="Palpitations at night", x=60, y=600, width=200
        )

    assert text_of(pdf(draw)) == "Referral form\nReason: Palpitations at night"


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("shown", [0, 90])
def test_text_is_read_however_the_page_is_turned(degrees, shown):
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(shown)
        canvas.translate(300, 400)
        canvas.rotate(degrees)
        for n, line in enumerate(LEFT):
            canvas.drawString(-100, 100 - 14 * n, line)

    assert text_of(pdf(draw)).split("\n") == LEFT


def test_a_file_without_its_end_is_refused_though_a_reader_could_mend_it():
    data = pdf(lambda c: columns(c))
    with pytest.raises(UnreadableFile, match="pdf-corrupt"):
        read(data[:-60])


# --- scans


def scan_of(*pages: Draw, kind: str = "PDF", dpi: int = 200) -> bytes:
    """The pages as pictures, as a scanner gives them."""
    import pypdfium2

    pictures = [
        page.render(scale=dpi / 72).to_pil().convert("L") for page in pypdfium2.PdfDocument(pdf(*pages))
    ]
    out = io.BytesIO()
    if kind == "PNG":
        pictures[0].save(out, kind)
    else:
        pictures[0].save(out, kind, save_all=True, append_images=pictures[1:], resolution=dpi)
    return out.getvalue()


needs_tesseract = pytest.mark.skipif(not ocr.available(), reason="tesseract is not installed")


@needs_tesseract
@pytest.mark.parametrize("kind", ["PDF", "TIFF", "PNG"])
def test_a_scan_is_read_where_ocr_is_on(kind, read_as):
    pages = [letter_page(1, 2, LEFT), letter_page(2, 2, RIGHT)][: 1 if kind == "PNG" else 2]
    data = scan_of(*pages, kind=kind)
    rule = "image" if kind != "PDF" else "pdf-no-text"
    with pytest.raises(UnreadableFile, match=rule):
        read_as("scan", data)
    found, (document,) = read_as("scan", data, ocr=True)
    words = " ".join(LEFT + (RIGHT if len(pages) == 2 else [])).split()
    assert found == "scan"
    assert sum(word in document.text for word in words) >= 0.97 * len(words)


@needs_tesseract
def test_a_page_of_noise_is_refused_and_not_made_into_words(read_as):
    from random import Random

    from PIL import Image

    noise = Image.frombytes("L", (600, 400), Random(4).randbytes(600 * 400))
    out = io.BytesIO()
    noise.save(out, "PNG")
    with pytest.raises(UnreadableFile, match="ocr-(unsure|no-text)"):
        read_as("scan.png", out.getvalue(), ocr=True)


def test_a_picture_that_unpacks_to_a_giant_is_refused(monkeypatch):
    from PIL import Image

    monkeypatch.setattr(ocr, "available", lambda: True)
    out = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(out, "PNG")
    with pytest.raises(UnreadableFile, match="image-expands"):
        ocr.read_scan(out.getvalue())


def test_without_tesseract_a_scan_says_what_is_missing(read_as, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UnreadableFile, match="ocr-missing"):
        read_as("scan.pdf", scan_of(letter_page(1, 1, LEFT)), ocr=True)
