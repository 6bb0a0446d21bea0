"""The data card as Croissant 1.0 (mlcommons.org/croissant), which catalogues and tools read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preceptor.curation.cards.facts import limits
from preceptor.tables import EXAMPLES
from preceptor.versions import DatasetVersion

_COLUMNS = {
    "example_id": ("sc:Text", "name of the example"),
    "task": ("sc:Text", "use case"),
    "split": ("sc:Text", "train, validation or test; by patient"),
    "patient_ref": ("sc:Text", "opaque reference of the patient"),
    "specialty": ("sc:Text", "medical specialty"),
    "prompt": ("sc:Text", "instruction and de-identified source"),
    "answer": ("sc:Text", "reference answer"),
    "provenance": ("sc:Text", "clinical or synthetic"),
    "basis": ("sc:Text", "licence or consent under which it may be learnt from"),
    "reviewer": ("sc:Text", "who accepted or corrected it"),
    "prompt_tokens": ("sc:Integer", "tokens of the prompt by the base model's tokenizer"),
    "answer_tokens": ("sc:Integer", "tokens of the answer"),
    "weight": ("sc:Float", "toward the declared population, where there is one"),
    "replaced": ("sc:Text", "the reference that a reviewer's correction took the place of"),
    "sex": ("sc:Text", "of the patient: female, male or other, where known"),
    "age_band": ("sc:Text", "of the patient when the document was written, where known"),
}


def croissant(facts: Mapping[str, Any], version: DatasetVersion, folder: Path) -> dict[str, Any]:
    """The Croissant metadata; the file's address is relative to `folder`."""
    file = os.path.relpath(version.path / EXAMPLES, folder)
    bases = sorted(facts["basis"])
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": f"preceptor-curated-{version.name}",
        "description": "Instruction data from de-identified clinical documents: "
        + "; ".join(f"{task} ({c['examples']} examples)" for task, c in facts["use_cases"].items())
        + ". Not for publication.",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "version": "1.0.0",
        "identifier": version.name,
        "license": bases,
        "inLanguage": facts["language"],
        "isAccessibleForFree": False,
        "rai:dataCollection": "; ".join(
            f"{s['version']}: {s['documents']} documents of {s['patients']} patients" for s in facts["sources"]
        ),
        "rai:dataPreprocessingProtocol": [
            f"de-identified under policy {s['policy']}: {s['identifiers']} identifiers replaced, {s['withheld']} documents "
            "withheld" for s in facts["sources"]
        ] + [f"removed by {rule}: {n}" for rule, n in facts["removed"].items()],
        "rai:dataLimitations": [f"{name}: {said}" for name, said in limits(facts).items()],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": EXAMPLES,
                "name": EXAMPLES,
                "contentUrl": file,
                "encodingFormat": "application/x-parquet",
                "sha256": version.manifest["files"][EXAMPLES],
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "examples",
                "name": "examples",
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"examples/{name}",
                        "name": name,
                        "description": said,
                        "dataType": kind,
                        "source": {"fileObject": {"@id": EXAMPLES}, "extract": {"column": name}},
                    }
                    for name, (kind, said) in _COLUMNS.items()
                ],
            }
        ],
    }  # fmt: skip


# The context that the specification gives: mlcommons.org/croissant, "Croissant Format Specification" 1.0.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
