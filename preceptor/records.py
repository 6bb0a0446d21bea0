"""The nouns that every stage shares. Plain values: no input or output, no heavy import."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# One value or a list of them, as hospitals export it.
_NAME_KEYS = ("name", "names", "former_names", "aliases", "maiden_name")
_RELATIVE_KEYS = ("relatives", "mother", "father", "spouse", "emergency_contact", "guarantor")
_CLINICIAN_KEYS = ("clinicians", "attending", "pcp", "author", "referring")
_ORGANISATION_KEYS = ("employer", "school", "organisations", "facility", "branch")
_KNOWN_KEYS = frozenset(
    (*_NAME_KEYS, *_RELATIVE_KEYS, *_CLINICIAN_KEYS, *_ORGANISATION_KEYS)
    + ("dob", "birth_date", "sex", "phone", "phones", "email", "emails", "address", "addresses", "patient_id")
)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text that identifies somebody: `text[start:end]`, offsets in code points.

    `type` is one of the names in `preceptor.deid.types`; `source` names the recogniser that found it.
    """

    start: int
    end: int
    type: str
    score: float = 1.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """What the EHR knows about one patient. Red: lives only in the vault and in the memory of de-identification.

    `identifiers` maps a label to a number or code (`mrn`, `ssn`, `account`, `insurance`, …); every key of an
    export that is not understood lands there too, since whatever an EHR files under a patient may identify.
    """

    patient_id: str
    names: tuple[str, ...] = ()
    birth_date: str | None = None
    sex: str | None = None
    relatives: tuple[str, ...] = ()
    clinicians: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    identifiers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], patient_id: str | None = None) -> PatientRecord:
        """Build a record from an EHR export row such as `{"name": …, "dob": …, "mrn": …, "relatives": […]}`."""

        def gather(*keys: str) -> tuple[str, ...]:
            found: list[str] = []
            for key in keys:
                value = data.get(key)
                values = value if isinstance(value, list | tuple) else [value]
                # A person may come as an object: {"name": …, "relation": …, "phone": …}.
                said = [v.get("name") if isinstance(v, Mapping) else v for v in values]
                found += [str(v).strip() for v in said if v and str(v).strip()]
            return tuple(dict.fromkeys(found))

        people = [data.get(key) for key in (*_RELATIVE_KEYS, *_CLINICIAN_KEYS)]
        objects = [p for value in people for p in (value if isinstance(value, list | tuple) else [value])]
        inner = [str(p["phone"]) for p in objects if isinstance(p, Mapping) and p.get("phone")]
        others = {k: v for k, v in data.items() if k not in _KNOWN_KEYS and v not in (None, "", [])}
        flat = {
            k: ", ".join(map(str, v)) if isinstance(v, list | tuple) else str(v)
            for k, v in others.items()
            if not isinstance(v, Mapping)
        }
        return cls(
            patient_id=str(patient_id or data.get("patient_id") or data.get("mrn") or ""),
            names=gather(*_NAME_KEYS),
            birth_date=data.get("dob") or data.get("birth_date") or None,
            sex=data.get("sex") or None,
            relatives=gather(*_RELATIVE_KEYS),
            clinicians=gather(*_CLINICIAN_KEYS),
            organisations=gather(*_ORGANISATION_KEYS),
            phones=tuple(dict.fromkeys((*gather("phone", "phones"), *inner))),
            emails=gather("email", "emails"),
            addresses=gather("address", "addresses"),
            identifiers=flat,
        )

    def merged(self, other: PatientRecord) -> PatientRecord:
        """Return the union of two records of the same patient; this one's single values win."""

        def union(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(dict.fromkeys((*a, *b)))

        identifiers = dict(self.identifiers)
        for key, value in other.identifiers.items():
            if identifiers.get(key, value) != value:
                key = next(k for n in itertools.count(2) if (k := f"{key} ({n})") not in identifiers)
            identifiers[key] = value
        return PatientRecord(
            patient_id=self.patient_id or other.patient_id,
            names=union(self.names, other.names),
            birth_date=self.birth_date or other.birth_date,
            sex=self.sex or other.sex,
            relatives=union(self.relatives, other.relatives),
            clinicians=union(self.clinicians, other.clinicians),
            organisations=union(self.organisations, other.organisations),
            phones=union(self.phones, other.phones),
            emails=union(self.emails, other.emails),
            addresses=union(self.addresses, other.addresses),
            identifiers=identifiers,
        )


@dataclass(frozen=True, slots=True)
class Labels:
    """What clinicians or coders said about one document, beside its text.

    `codes` maps an ICD-10-CM code to the words of the note that justify it (may be empty);
    `differential` is ranked, each entry `{"diagnosis", "for": […], "against": […]}`;
    `follows` is the file name of the session transcript that this note was written after.
    """

    codes: dict[str, list[str]] = field(default_factory=dict)
    reference_summary: str | None = None
    differential: tuple[dict[str, Any], ...] = ()
    follows: str | None = None

    def to_json(self) -> str:
        return json.dumps(
            {
                "codes": self.codes,
                "reference_summary": self.reference_summary,
                "differential": list(self.differential),
                "follows": self.follows,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Labels:
        data = json.loads(text)
        return cls(data["codes"], data["reference_summary"], tuple(data["differential"]), data["follows"])


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """One document as a reader found it in a file. Red.

    `date` is when it was written or what it is about, `YYYY-MM-DD` (or `YYYY-MM`, `YYYY`); `author_role` is what the
    file calls its author ("attending", "registered nurse"), in lower case.
    """

    text: str
    patient: PatientRecord | None = None
    note_type: str | None = None
    specialty: str | None = None
    encounter: str | None = None
    codes: dict[str, list[str]] = field(default_factory=dict)
    reference_summary: str | None = None
    date: str | None = None
    author_role: str | None = None


@dataclass(frozen=True, slots=True)
class RefusedPart:
    """A part of a file that could not be read, where the rest could: an entry, a message, a row.

    `place` says which, without its text (`row 17`, `entry 3`); `rule` is one of `preceptor.documents.errors.RULES`;
    `data` is the part itself, which goes to quarantine. Red.
    """

    place: str
    rule: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What a reader found in a file: documents, what it says of patients beside them, and parts it could not read."""

    documents: tuple[ParsedDocument, ...] = ()
    patients: tuple[PatientRecord, ...] = ()
    refused: tuple[RefusedPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the vault with its opaque references. Red."""

    document_ref: str
    patient_ref: str
    text: str
    note_type: str
    specialty: str
    encounter: str | None
    format: str
    file_name: str
    labels: Labels
    date: str | None = None
    author_role: str | None = None


@dataclass(frozen=True, slots=True)
class DeidentifiedDocument:
    """One document without identifiers; `labels.follows` is a document reference here. Amber.

    `sex`, `age_band` and `author_role` are the coarse groups of `preceptor.deid.groups`, None where nothing is known; `year`
    is when it was written, as the policy of de-identification shows it.
    """

    document_ref: str
    patient_ref: str
    batch: str
    note_type: str
    specialty: str
    encounter: str | None
    format: str
    text: str
    labels: Labels
    sex: str | None = None
    age_band: str | None = None
    author_role: str | None = None
    year: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One training or test case made from de-identified documents. Amber.

    `provenance` is `clinical` or `synthetic` and never changes; a synthetic one names its generator, the hash of
    its prompt and the examples it was seeded from. `split` is `train`, `validation` or `test`; `basis` is the licence or
    consent under which it may be learnt from, as its use case says it. `reviewer` (and `reviewed_at`, ISO 8601) is who
    accepted or corrected it; the token counts are those of the base model, without its chat template; `weight` is toward
    the declared population (`preceptor.curation.weights`), None where none is declared; `replaced` is the reference that a
    reviewer's correction took the place of. `sex` and `age_band` are those of the document that it is made of, None where not known
    and of synthetic ones.
    """

    example_id: str
    task: str
    split: str
    patient_ref: str
    document_refs: tuple[str, ...]
    specialty: str
    prompt: str
    answer: str
    provenance: str = "clinical"
    generator: str | None = None
    prompt_hash: str | None = None
    seeds: tuple[str, ...] = ()
    basis: str | None = None
    reviewer: str | None = None
    reviewed_at: str | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    weight: float | None = None
    replaced: str | None = None
    sex: str | None = None
    age_band: str | None = None

    @property
    def source(self) -> str:
        """The prompt without its instruction, which all examples of a use case share."""
        return self.prompt.partition("\n\n")[2]

    @property
    def instruction(self) -> str:
        """What is asked of the source."""
        return self.prompt.partition("\n\n")[0]

    @property
    def person(self) -> str:
        """The patient; an example without one counts as a patient of its own."""
        return self.patient_ref or f"case {self.example_id}"

    def told(self, source: str, answer: str | None = None) -> Example:
        """The same with another source, and another answer if one is given."""
        return replace(
            self,
            prompt=f"{self.instruction}\n\n{source}",
            answer=self.answer if answer is None else answer,
        )
