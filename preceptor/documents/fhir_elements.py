"""The elements of FHIR JSON with the types that the standard gives them, and the resources of a file by reference.

Source: HL7 FHIR R4 (4.0.1), "JSON representation", "References between resources" (2.3) and the resource pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from preceptor.documents.errors import UnreadableFile, unreadable
from preceptor.records import RefusedPart

Resource = dict[str, Any]
# Elements by which a resource says whose it is. The second ones (of Task, ResearchSubject and Binary) may be something
# else in other resources.
_SUBJECTS = ("subject", "patient", "beneficiary")
_SOMETIMES_SUBJECTS = ("for", "individual", "securityContext")


def string(holder: Resource, key: str) -> str:
    """A primitive that FHIR writes as a JSON string; empty if it is not there. Raises `json-unknown` for another type."""
    value = holder.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise unreadable("json-unknown")
    return value


def strings(holder: Resource, key: str) -> list[str]:
    """A repeated primitive. Nulls, which stand for values that have only extensions, fall away."""
    value = holder.get(key)
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not all(v is None or isinstance(v, str) for v in values):
        raise unreadable("json-unknown")
    return [v for v in values if v]


def elements(holder: Resource, key: str) -> list[Resource]:
    """A repeated complex element; one that should repeat and was written as a single object counts too."""
    value = holder.get(key)
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not all(v is None or isinstance(v, dict) for v in values):
        raise unreadable("json-unknown")
    return [v for v in values if v]


def element(holder: Resource, key: str) -> Resource:
    """A complex element, the first if it repeats; an empty one if it is not there."""
    return next(iter(elements(holder, key)), {})


def refer(reference: Resource) -> str:
    """What a Reference points to, as written."""
    return string(reference, "reference")


def coded(concept: Resource) -> list[Resource]:
    """The codings of a CodeableConcept."""
    return elements(concept, "coding")


def words(concept: Resource) -> list[str]:
    """The words of a CodeableConcept: its text, then what its codings display."""
    return [w for w in (string(concept, "text"), *(string(c, "display") for c in coded(concept))) if w]


def references(value: Any, key: str = "") -> Iterator[tuple[str, Resource]]:
    """Every Reference below a value, with the name of the element that holds it."""
    if isinstance(value, dict):
        if any(isinstance(value.get(k), str) for k in ("reference", "display")) and "system" not in value:
            yield key, value
        for name, inner in value.items():
            if name != "contained":  # those are resources of their own
                yield from references(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner, key)


class Resources:
    """All resources of one export, bundles unpacked, contained ones included, and whose each is.

    What is no resource is in `refused`; `refuse` adds one that turns out to be unreadable later.
    """

    def __init__(self, top: list[tuple[str, Any]]) -> None:
        """`top` holds resources with their places (`line 3`; empty for a file that is one resource)."""
        self.all: list[Resource] = []
        self.refused: list[RefusedPart] = []
        self._by_reference: dict[str, Resource] = {}
        self._by_identifier: dict[tuple[str, str], Resource] = {}
        self._places: dict[int, str] = {}
        self._own: dict[int, list[Resource]] = {}
        self._owner: dict[int, Resource] = {}
        self._by_type: dict[str, list[Resource]] = {}
        for place, resource in top:
            self._checked(self._add, resource, "", place)
        for resource in self.all:
            self._by_type.setdefault(resource["resourceType"], []).append(resource)
        for index in (self._index_identifiers, self._index_subjects, self._index_targets):
            for resource in list(self.all):
                if not self.is_refused(resource):
                    self._checked(index, resource)

    def refuse(self, resource: Any, rule: str) -> None:
        """Put a resource, once, among the parts of the file that could not be read."""
        if not self.is_refused(resource):
            place = self._places.get(id(resource), "resource")
            self.refused.append(RefusedPart(place, rule, json.dumps(resource).encode()))
            self._places[id(resource)] = ""

    def is_refused(self, resource: Any) -> bool:
        return self._places.get(id(resource)) == ""

    def find(self, reference: str | None) -> Resource | None:
        """The resource that a reference or URL names, if the file holds it."""
        if not reference:
            return None
        if "#" in reference:
            return self._by_reference.get(reference)
        # A server's full URL and its `Type/id` name the same thing.
        bare = reference.partition("/_history")[0]
        short = "/".join(bare.split("/")[-2:])
        return self._by_reference.get(bare) or self._by_reference.get(short)

    def follow(self, reference: Resource) -> Resource | None:
        """The resource that a Reference names, by its address or else by an identifier (2.3.0.2)."""
        found = self.find(refer(reference))
        number = reference.get("identifier")
        if found or not isinstance(number, dict):
            return found
        return self._by_identifier.get((string(number, "system"), string(number, "value")))

    def own(self, patient: Resource) -> list[Resource]:
        """The resources whose subject is this patient."""
        return self._own.get(id(patient), [])

    def of_type(self, *types: str) -> list[Resource]:
        """The resources of these types that are not refused, in the file's order."""
        found = self.all if len(types) > 1 else self._by_type.get(types[0], [])
        return [r for r in found if r["resourceType"] in types and not self.is_refused(r)]

    def _checked(self, step: Callable[..., None], resource: Any, *more: str) -> None:
        try:
            step(resource, *more)
        except UnreadableFile as error:
            self._places.setdefault(id(resource), more[-1] if more and more[-1] else "resource")
            self.refuse(resource, error.rule)

    def _add(self, resource: Any, url: str, place: str) -> None:
        if not isinstance(resource, dict) or not string(resource, "resourceType"):
            raise unreadable("json-unknown")
        self._places[id(resource)] = place or "resource"
        if resource["resourceType"] == "Bundle":
            for n, entry in enumerate(_entries(resource), 1):
                self._add_entry(entry, f"{place}, entry {n}".lstrip(", "))
            return
        name = string(resource, "id")
        contained = elements(resource, "contained")
        if any(not string(inner, "resourceType") for inner in contained):
            raise unreadable("json-unknown")
        self.all.append(resource)
        for reference in (url, f"{resource['resourceType']}/{name}" if name else ""):
            if reference:
                self._by_reference[reference] = resource
        # `#p1` means another resource in every holder: give it a name that no other has.
        prefix = f"contained {len(self.all)} "
        if contained:
            _qualify(resource, prefix)
        for inner in contained:
            self.all.append(inner)
            self._places[id(inner)] = place or "resource"
            self._by_reference[f"{prefix}#{string(inner, 'id')}"] = inner

    def _add_entry(self, entry: Any, place: str) -> None:
        if not isinstance(entry, dict):
            self.refused.append(RefusedPart(place, "json-unknown", json.dumps(entry).encode()))
        elif "resource" in entry:  # a history's deletions have none
            url = entry.get("fullUrl")
            self._checked(self._add, entry["resource"], url if isinstance(url, str) else "", place)

    def _index_identifiers(self, resource: Resource) -> None:
        if resource["resourceType"] in ("Patient", "Practitioner", "Organization", "Encounter"):
            for number in elements(resource, "identifier"):
                if string(number, "value"):
                    self._by_identifier[string(number, "system"), string(number, "value")] = resource

    def _index_subjects(self, resource: Resource) -> None:
        subjects = [s for key in _SUBJECTS for s in elements(resource, key)]
        subjects += [s for key in _SOMETIMES_SUBJECTS for s in elements_if_any(resource, key)]
        for found in map(self.follow, subjects):
            if found and found["resourceType"] == "Patient" and found is not resource:
                self._own.setdefault(id(found), []).append(resource)
                self._owner.setdefault(id(resource), found)

    def _index_targets(self, resource: Resource) -> None:
        """A Provenance names no subject but the resources that it is about."""
        if resource["resourceType"] == "Provenance":
            for target in filter(None, map(self.follow, elements(resource, "target"))):
                owner = target if target["resourceType"] == "Patient" else self._owner.get(id(target))
                if owner:
                    self._own.setdefault(id(owner), []).append(resource)


def elements_if_any(holder: Resource, key: str) -> list[Resource]:
    """The objects under a key, whatever else may be there: some names mean different types in different resources."""
    value = holder.get(key)
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, dict)]


def _entries(bundle: Resource) -> list[Any]:
    entries = bundle.get("entry")
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise unreadable("json-unknown")
    return entries


def _qualify(value: Any, prefix: str) -> None:
    if isinstance(value, dict):
        if str(value.get("reference", "")).startswith("#"):
            value["reference"] = prefix + value["reference"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            _qualify(inner, prefix)
