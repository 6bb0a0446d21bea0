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
    "image": "This is a picture: run OCR and give the PDF with a text layer.",
    "unknown-structure": "Preceptor reads text, PDF, DOCX, RTF, HTML, C-CDA XML, FHIR R4 JSON and HL7 v2.",
    "nested-too-deep": "A document is wrapped in too many others: export the innermost one by itself.",
    "pdf-corrupt": _DAMAGED,
    "pdf-encrypted": "It asks for a password: save a copy without one.",
    "pdf-no-text": "At least one page is a scan without a text layer: run OCR on it first.",
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
    "json-unknown": "The only JSON that Preceptor reads is FHIR R4 (a resourceType at the top).",
    "fhir-no-document": "It holds no DocumentReference, Composition, DiagnosticReport or Binary with text.",
    "fhir-attachment": "An attachment is not inside the file or not in a readable format: export it inline.",
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
