"""HL7 v2.5.1: reports of studies as ORU^R01, everything else as MDM^T02, one OBX a line."""

from __future__ import annotations

import re
from typing import Any

from writers.facts import EXPORTED, Facts, Person, facts, stable_hash

REPORT = re.compile(r"report|radiology|pathology|\blab\b|echo|stress test|MRI|Holter|device check")
_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}


def write(note: dict[str, Any]) -> bytes:
    """Return the note as one message; segments end in CR as the standard has it, or in LF or CRLF as files do."""
    known = facts(note)
    study = bool(REPORT.search(note["note_type"])) and "operative" not in note["note_type"]
    kind = f"{known.loinc}^{_escape(note['note_type'])}^LN"
    segments = [*_header(note, known, "ORU^R01^ORU_R01" if study else "MDM^T02^MDM_T02")]
    if study:
        segments.append(f"OBR|1|||{kind}|||||||||||||{_clinician(known.author)}|||||||||F")
    else:
        segments.append(
            f"TXA|1|{_escape(note['note_type'])}|TX||||||{_clinician(known.author)}|||{known.loinc}|||||AU"
        )
    lines = note["text"].strip("\n").split("\n")
    segments += [f"OBX|{n}|TX|{kind}||{_escape(line.rstrip())}||||||F" for n, line in enumerate(lines, 1)]
    end = ("\r", "\n", "\r\n")[stable_hash(note["note_id"], "hl7") % 3]
    return (end.join(segments) + end).encode()


def _header(note: dict[str, Any], known: Facts, event: str) -> list[str]:
    ids = f"{_escape(known.mrn)}^^^EHR^MR"
    if known.ssn:
        ids += f"~{known.ssn}^^^USA^SS"
    address = "^".join(
        _escape(known.address.get(key, "")) for key in ("street", "other", "city", "state", "zip")
    )
    email = f"~^NET^Internet^{_escape(known.email)}" if known.email else ""
    phones = f"{_escape(known.phone)}{email}" if known.phone or known.email else ""
    number = f"{stable_hash(note['note_id'], 'message') % 10**8:08d}"
    segments = [
        f"MSH|^~\\&|EHR|{_escape(known.hospital)}|PRECEPTOR||{EXPORTED}||{event}|{number}|P|2.5.1||||||UNICODE UTF-8",
        f"PID|1||{ids}||{_name(known.patient)}||{known.born.replace('-', '')}|{known.sex}|||{address.rstrip('^')}||{phones}",
        *(f"NK1|{n}|{_name(relative)}" for n, relative in enumerate(known.relatives, 1)),
        f"PV1|1|O|||||{_clinician(known.author)}|||{_escape(note['specialty'])}|||||||||{_escape(known.encounter)}",
    ]
    if event.startswith("MDM"):
        segments.insert(1, f"EVN|T02|{EXPORTED}")
    # ORU^R01 has no place for DG1; many senders put it behind PV1 nevertheless, and so does this one.
    return segments + [f"DG1|{n}||{code}^^I10" for n, code in enumerate(note.get("icd10", []), 1)]


def _name(person: Person) -> str:
    first, *others = (*person.given, "")[: len(person.given) or 1]
    parts = (person.family, first, " ".join(others), person.suffix)
    return "^".join(map(_escape, parts)).rstrip("^")


def _clinician(person: Person | None) -> str:
    return f"^{_name(person)}" if person else ""


def _escape(text: str) -> str:
    return "".join(_ESCAPES.get(c, c) for c in text)
