"""Writing what the readers say into the vault, and giving every item its one verdict.

Writes are committed together every few hundred documents; what was not committed when a run was killed is done again
by the next, and comes to the same.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from preceptor.consent import Consent
from preceptor.documents.errors import RULES
from preceptor.documents.events import Event, FormatFound, ItemBegins, ItemEnds
from preceptor.documents.records_file import RecordsFile
from preceptor.documents.selection import rule_broken
from preceptor.records import Labels, ParsedDocument, PatientRecord, RefusedPart
from preceptor.settings import IntakeSettings
from preceptor.vault import Vault

_COMMIT_EVERY = 500  # documents
_COMMIT_SECONDS = 2.0
_ENDS_READER = ("too-slow", "too-much-memory", "reader-crashed")


@dataclass(slots=True)
class IntakeReport:
    """What became of the files of one call. A file is one item, an archive one for each member, and
    `files = accepted + duplicates + refused_files + quarantined_files`.

    `quarantined` holds `{file, rule, remedy}` for the person who asked; it is printed to that person and stored
    nowhere, since file names may identify. It names members as `a.zip/member`, and a row, entry or message of a
    file that was read otherwise as `rows.csv, row 3`. `refused` counts the documents that selection, consent or an
    erasure kept out, by rule. `patients` counts records that came without a document.
    """

    batch: str
    files: int = 0
    accepted: int = 0
    documents: int = 0
    patients: int = 0
    duplicates: int = 0
    refused_files: int = 0
    quarantined_files: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    quarantined: list[dict[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Item:
    """A file or member while its events come."""

    file: Path
    member: str
    mac: str
    format: str = ""
    new: int = 0
    known: int = 0
    patients: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    parts: list[RefusedPart] = field(default_factory=list)

    @property
    def where(self) -> bytes:
        """What tells it from another file of the same content."""
        return os.fsencode(self.file.name) + b"/" + self.member.encode("utf-8", "surrogateescape")

    @property
    def name(self) -> str:
        return _printable(PurePosixPath(self.member).name if self.member else self.file.name)

    @property
    def shown(self) -> str:
        return _printable(f"{self.file}/{self.member}" if self.member else str(self.file))


class Writer:
    """Use as a context manager: leaving it commits, an exception leaves what was committed before."""

    def __init__(
        self,
        vault: Vault,
        settings: IntakeSettings,
        table: RecordsFile,
        consent: Consent,
        report: IntakeReport,
    ) -> None:
        self._vault, self._settings, self._table, self._consent = vault, settings, table, consent
        self._report = report
        rules = settings.selection.model_dump_json() + consent.digest
        self._policy = vault.content_mac("policy", rules.encode())
        self._transaction = ExitStack()
        self._kept: set[Path] = set()  # archives that quarantine has whole
        self._uncommitted, self._since = 0, time.monotonic()

    def __enter__(self) -> Writer:
        self._transaction.enter_context(self._vault.transaction())
        return self

    def __exit__(self, *failure: object) -> None:
        self._transaction.__exit__(*failure)  # type: ignore[arg-type]
        report = self._report
        if report.documents or report.patients:
            counts = {"documents": report.documents, "patients": report.patients}
            self._vault.note("wrote", "intake", report.batch, counts)
        if report.quarantined:
            rules = Counter(entry["rule"] for entry in report.quarantined)
            self._vault.note("quarantined", "intake", report.batch, dict(sorted(rules.items())))

    def put_record(self, record: PatientRecord) -> str:
        """Add what is known of a patient; return the reference."""
        return self._vault.put_record(record)

    def put_known(self, mac: str) -> bool:
        """Count a file as duplicates if it was taken in whole before, under the same rules; whether it was."""
        items = self._vault.file_items(mac) or self._vault.file_items(self._under_policy(mac))
        self._report.files += items
        self._report.duplicates += items
        return items > 0

    def put_no_file(self, path: Path, rule: str) -> None:
        """Account for something that is there and is no file."""
        mac = self._vault.content_mac("no file", os.fsencode(path))
        self._quarantine_item(_Item(path, "", mac), rule, b"")
        self._report.files += 1

    def put_file(self, file: Path, mac: str, events: Iterator[Event]) -> None:
        """Write a file's items, and remember the file if nothing of it is left in quarantine."""
        items: list[_Item] = []
        quarantined = self._report.quarantined_files + len(self._report.quarantined)
        for event in events:
            match event:
                case ItemBegins():
                    own = self._vault.content_mac("file", event.digest.encode()) if event.member else mac
                    items.append(_Item(file, event.member, own))
                case FormatFound():
                    items[-1].format = event.name
                case ItemEnds():
                    self._end(items[-1], event)
                case ParsedDocument():
                    self._document(items[-1], event)
                case PatientRecord():
                    items[-1].patients += 1
                    self._vault.put_record(event)
                case RefusedPart():
                    items[-1].parts.append(event)
        self._report.files += len(items)
        if items and quarantined == self._report.quarantined_files + len(self._report.quarantined):
            refused = any(item.refused for item in items)
            self._vault.put_file(self._under_policy(mac) if refused else mac, self._report.batch, len(items))
        self._commit_if_due()

    def _under_policy(self, mac: str) -> str:
        """The name of a file of which something was refused: it is known only while the same rules hold."""
        return self._vault.content_mac("file under policy", f"{mac}/{self._policy}".encode())

    def _commit_if_due(self) -> None:
        if self._uncommitted >= _COMMIT_EVERY or time.monotonic() - self._since > _COMMIT_SECONDS:
            self._transaction.close()
            self._transaction.enter_context(self._vault.transaction())
            self._uncommitted, self._since = 0, time.monotonic()

    def _document(self, item: _Item, document: ParsedDocument) -> None:
        row = self._table.documents.get(item.name)
        note_type = (row and row.note_type) or document.note_type
        specialty = (row and row.specialty) or document.specialty
        owner = self._owner(item, document)
        rule = (
            "patient-erased"
            if owner and self._vault.is_erased(owner)
            else self._consent.rule_broken(owner, document.text)
            or rule_broken(
                self._settings.selection,
                text=document.text,
                note_type=note_type,
                specialty=specialty,
                author_role=document.author_role,
                date=document.date,
            )
        )
        if rule:
            item.refused[rule] += 1
            self._vault.put_refusal(document.text, self._report.batch, rule)
            return
        labels = row.labels if row else Labels()
        _, new = self._vault.put_document(
            owner or self._vault.put_unlinked(document.text),
            self._report.batch,
            text=document.text,
            note_type=note_type or "unknown",
            specialty=specialty or "general",
            encounter=(row and row.encounter) or document.encounter,
            format=item.format,
            file_name=item.name,
            labels=Labels(
                labels.codes or document.codes,
                labels.reference_summary or document.reference_summary,
                labels.differential,
                labels.follows,
            ),
            date=document.date,
            author_role=document.author_role,
        )
        self._vault.forget_refusal(document.text)
        item.new += new
        item.known += not new
        self._uncommitted += 1
        self._commit_if_due()

    def _owner(self, item: _Item, document: ParsedDocument) -> str | None:
        """The patient whose document it is, as far as anything says."""
        owner = None
        if document.patient is not None and document.patient.patient_id:
            owner = self._vault.put_record(document.patient)
        row = self._table.documents.get(item.name)
        if row is not None and row.patient_id:
            # The records file knows best; its patients were stored before any document.
            owner = self._vault.find_patient(row.patient_id) or self._vault.put_record(
                PatientRecord(row.patient_id)
            )
        return owner

    def _end(self, item: _Item, event: ItemEnds) -> None:
        """Give an item its verdict."""
        report = self._report
        report.documents += item.new
        for rule, count in item.refused.items():
            report.refused[rule] = report.refused.get(rule, 0) + count
        read = item.new or item.known or item.refused or item.patients
        if event.rule or not read:
            rule = event.rule or (item.parts[0].rule if item.parts else "empty")
            self._quarantine_item(item, rule, event.data or self._content(item, rule))
            return
        self._vault.release_from_quarantine(item.mac)
        for part in item.parts:
            self._quarantine_part(item, part)
        if item.new:
            report.accepted += 1
        elif item.known:
            report.duplicates += 1
        elif item.refused:
            report.refused_files += 1
        else:
            self._end_of_records(item)

    def _end_of_records(self, item: _Item) -> None:
        """An item that says something of patients and has no document is new once."""
        if self._vault.file_items(item.mac):
            self._report.duplicates += 1
            return
        self._report.accepted += 1
        self._report.patients += item.patients
        self._vault.put_file(item.mac, self._report.batch, 1)

    def _content(self, item: _Item, rule: str) -> bytes:
        """What quarantine keeps where the reader could not hand it on: the file, unless it is over the limit.

        For a member that ended its reader that is the archive, once; other members that were not handed on are no
        documents (links, bombs, paths that climb out).
        """
        if item.member and (rule not in _ENDS_READER or item.file in self._kept):
            return b""
        self._kept.add(item.file)
        try:
            if item.file.stat().st_size <= self._settings.limits().max_file_bytes:
                return item.file.read_bytes()
        except OSError:
            pass  # the rule that it breaks is that it cannot be read
        return b""

    def _quarantine_item(self, item: _Item, rule: str, data: bytes) -> None:
        mac = f"{item.mac}/{self._vault.content_mac('where', item.where)[:16]}"
        self._vault.put_quarantined(mac, self._report.batch, rule, item.name, data)
        self._report.quarantined_files += 1
        self._tell(item.shown, rule)

    def _quarantine_part(self, item: _Item, part: RefusedPart) -> None:
        mac = f"{item.mac}.{part.place}"
        self._vault.put_quarantined(mac, self._report.batch, part.rule, item.name, part.data)
        self._tell(f"{item.shown}, {part.place}", part.rule)

    def _tell(self, file: str, rule: str) -> None:
        self._report.quarantined.append({"file": file, "rule": rule, "remedy": RULES[rule]})


def _printable(name: str) -> str:
    """A file name that can be printed and stored, whatever bytes it has."""
    return os.fsencode(name).decode("utf-8", "replace")
