"""Why a file could not be read: a rule that intake counts, and the remedy that a person needs."""

from __future__ import annotations

from preceptor.errors import PreceptorError

_DAMAGED = "The file is damaged or was cut short in transfer: export or copy it again."

# rule -> what to do next. The rule is what a quarantine manifest shows, so names stay stable.
RULES = {
    "empty": "There is no text in it: export the document again.",
    "too-large": "Split the export into one document per file, or raise intake.max_file_mb.",
    "too-long": "Split the document, or raise intake.max_characters.",
    "not-text": "This is no document format that Preceptor reads: save it as text, PDF, DOCX, RTF or HTML.",
    "mixed-encoding": "Parts of it are UTF-8 and parts are not: save the whole file as UTF-8.",
    "encoding-unsure": "Which code page it is in cannot be told for sure: save it as UTF-8.",
    "image": "This is a picture: switch intake.ocr on, or run OCR and give the PDF with a text layer (docs/intake.md#scans).",
    "unknown-structure": "Preceptor reads text, PDF, DOCX, RTF, HTML, C-CDA XML, FHIR R4 JSON, HL7 v2, JSONL and CSV.",
    "nested-too-deep": "A document is wrapped in too many others: export the innermost one by itself.",
    "pdf-corrupt": _DAMAGED,
    "pdf-encrypted": "It asks for a password: save a copy without one.",
    "pdf-no-text": "At least one page is a scan without a text layer: run OCR on it first, or switch intake.ocr on "
    "(docs/intake.md#scans).",
    "pdf-no-unicode": "Its fonts do not say which letters they draw: run OCR on it, or export it as text.",
    "docx-corrupt": _DAMAGED,
    "docx-encrypted": "It asks for a password: save a copy without one.",
    "docx-expands": "It unpacks to far more than a document can hold: check where it comes from.",
    "doc-legacy": "This is Word's format of before 2007: save it as .docx.",
    "rtf-corrupt": _DAMAGED,
    "html-corrupt": _DAMAGED,
    "xml-corrupt": _DAMAGED,
    "xml-doctype": "It declares a document type or entities, which no clinical XML needs: remove that.",
    "xml-unknown": "The only XML that Preceptor reads is C-CDA (root ClinicalDocument); export FHIR as JSON.",
    "ccda-no-text": "It has no section with a narrative: export it with its narrative blocks.",
    "json-corrupt": _DAMAGED,
    "json-unknown": "The JSON that Preceptor reads is FHIR R4 (a resourceType at the top) and rows with a text column.",
    "fhir-no-document": "It holds no DocumentReference, Composition, DiagnosticReport or Binary with text.",
    "fhir-attachment": "An attachment is not inside the file or not in a readable format: export it inline.",
    "archive-corrupt": _DAMAGED,
    "archive-encrypted": "This member asks for a password: pack it again without one.",
    "archive-expands": "It unpacks to far more than documents can hold: check where it comes from, or raise intake.max_expanded_mb.",
    "archive-link": "This member is a link or a device, not a file: pack the file itself.",
    "archive-path": "Its path climbs out of the archive: check where it comes from and pack it again.",
    "table-columns": "No column holds the text of a document: say which one does with the setting intake.columns.",
    "table-corrupt": "The row has not as many cells as the header, or a quote never closes: export the table again.",
    "row-wrong": "A value in the row is of another type than its column's: mend the row and give the file again.",
    "link-outside": "This is a link to a file outside the folder that was given: give that file itself.",
    "not-a-file": "This is a pipe, socket or device, or a link that leads nowhere: give the file itself.",
    "not-readable": "Check the file's permissions and the disk.",
    "patient-erased": "This patient was erased on request and is not taken in again.",
    "too-slow": "Reading it took longer than intake.max_seconds: open it and save it anew, or raise the limit.",
    "too-much-memory": "Reading it took more memory than intake.max_memory_mb: split it, or raise the limit.",
    "reader-crashed": "It crashed the program that reads it: open it and save it anew, and report the kind of file.",
    "image-corrupt": _DAMAGED,
    "image-expands": "The picture is far larger than a scanned page: check where it comes from.",
    "ocr-missing": "OCR is on, but the program tesseract is not installed: install it, or switch intake.ocr off.",
    "ocr-no-text": "OCR found no text on it: check the scan.",
    "ocr-unsure": "OCR is unsure of most words: scan it again, straight and at 300 dpi, or type it.",
    "hl7-corrupt": _DAMAGED,
    "hl7-no-text": "No message in it has an OBX segment with text: export MDM^T02 or ORU^R01 messages.",
}


class UnreadableFile(PreceptorError):
    """A file that no reader could read; `rule` is a key of `RULES`. Holds nothing of the file."""

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(f"The file could not be read (rule {rule}). {remedy}")
        self.rule = rule
        self.remedy = remedy


def unreadable(rule: str) -> UnreadableFile:
    """Return the error for a rule, with its remedy."""
    return UnreadableFile(rule, RULES[rule])
