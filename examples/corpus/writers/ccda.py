"""C-CDA R2.1: a US realm header made from what the note says, and one section for each of its paragraphs."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from writers.facts import EXPORTED, Facts, Person, facts, paragraphs

_MRN_ROOT = "2.16.840.1.113883.19.5"  # HL7's root for examples
_SSN_ROOT = "2.16.840.1.113883.4.1"
_LOINC_ROOT = "2.16.840.1.113883.6.1"


def write(note: dict[str, Any]) -> bytes:
    """Return the note as a ClinicalDocument."""
    known = facts(note)
    sections = "".join(_section(lines) for lines in paragraphs(note["text"]))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        '<realmCode code="US"/>\n<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>\n'
        '<templateId root="2.16.840.1.113883.10.20.22.1.1" extension="2015-08-01"/>\n'
        f'<id root="{_MRN_ROOT}.1" extension={quoteattr(known.mrn + "/" + known.loinc)}/>\n'
        f'<code code="{known.loinc}" codeSystem="{_LOINC_ROOT}" codeSystemName="LOINC"'
        f" displayName={quoteattr(note['note_type'])}/>\n"
        f"<title>{escape(note['note_type'])}</title>\n"
        f'<effectiveTime value="{EXPORTED}+0000"/>\n'
        '<confidentialityCode code="R" codeSystem="2.16.840.1.113883.5.25"/>\n<languageCode code="en-US"/>\n'
        f"{_header(known, note['specialty'])}"
        f"<component><structuredBody>\n{sections}</structuredBody></component>\n</ClinicalDocument>\n"
    ).encode()


def _header(known: Facts, specialty: str) -> str:
    ssn = f'<id root="{_SSN_ROOT}" extension={quoteattr(known.ssn)}/>\n' if known.ssn else ""
    telecoms = "".join(
        f"<telecom value={quoteattr(scheme + value)}/>\n"
        for scheme, value in (("tel:", known.phone), ("mailto:", known.email))
        if value
    )
    sex = (
        f'<administrativeGenderCode code="{known.sex}" codeSystem="2.16.840.1.113883.5.1"/>\n'
        if known.sex
        else ""
    )
    relatives = "".join(
        '<participant typeCode="IND"><associatedEntity classCode="PRS"><associatedPerson>'
        f"{_name(relative)}</associatedPerson></associatedEntity></participant>\n"
        for relative in known.relatives
    )
    visit = (
        f'<componentOf><encompassingEncounter><id root="{_MRN_ROOT}.2" extension={quoteattr(known.encounter)}/>'
        '<effectiveTime nullFlavor="UNK"/></encompassingEncounter></componentOf>\n'
        if known.encounter
        else ""
    )
    author = f"<assignedPerson>{_name(known.author)}</assignedPerson>" if known.author else ""
    hospital = f"<name>{escape(known.hospital)}</name>" if known.hospital else '<name nullFlavor="NI"/>'
    return (
        f'<recordTarget><patientRole>\n<id root="{_MRN_ROOT}" extension={quoteattr(known.mrn)}/>\n{ssn}'
        f"{_address(known.address)}{telecoms}"
        f'<patient>{_name(known.patient)}\n{sex}<birthTime value="{known.born.replace("-", "")}"/></patient>\n'
        "</patientRole></recordTarget>\n"
        f'<author><time value="{EXPORTED}+0000"/><assignedAuthor><id nullFlavor="NI"/>'
        f'<code nullFlavor="OTH" displayName={quoteattr(specialty)}/>{author}</assignedAuthor></author>\n'
        '<custodian><assignedCustodian><representedCustodianOrganization><id nullFlavor="NI"/>'
        f"{hospital}</representedCustodianOrganization></assignedCustodian></custodian>\n"
        f"{relatives}{visit}"
    )


def _name(person: Person) -> str:
    given = "".join(f"<given>{escape(part)}</given>" for part in person.given)
    suffix = f"<suffix>{escape(person.suffix)}</suffix>" if person.suffix else ""
    return f"<name>{given}<family>{escape(person.family)}</family>{suffix}</name>"


def _address(parts: dict[str, str]) -> str:
    if not parts:
        return ""
    tags = (("street", "streetAddressLine"), ("city", "city"), ("state", "state"), ("zip", "postalCode"))
    inner = "".join(f"<{tag}>{escape(parts[key])}</{tag}>" for key, tag in tags if key in parts)
    return f"<addr>{inner}</addr>\n"


def _section(lines: list[str]) -> str:
    title = ""
    if (
        len(lines) > 1
        and len(lines[0]) <= 60
        and (lines[0].isupper() or lines[0].endswith(":"))
        and "  " not in lines[0]
    ):
        title, lines = f"<title>{escape(lines[0])}</title>", lines[1:]
    text = "<br/>\n".join(_keep_spaces(escape(line)) for line in lines)
    return (
        f'<component><section><code code="34109-9" codeSystem="{_LOINC_ROOT}" displayName="Note"/>{title}\n'
        f"<text><paragraph>{text}</paragraph></text></section></component>\n"
    )


def _keep_spaces(line: str) -> str:
    """White space in a narrative collapses: all but the last of several spaces become no-break spaces."""
    while "  " in line:
        line = line.replace("  ", "\N{NO-BREAK SPACE} ", 1)
    return "\N{NO-BREAK SPACE}" + line[1:] if line.startswith(" ") else line
