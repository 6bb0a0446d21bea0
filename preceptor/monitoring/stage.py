"""The monitoring stage: how far what arrived since differs from the champion's data."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from preceptor.monitoring.drift import binned, psi, quantile_bins
from preceptor.records import DeidentifiedDocument
from preceptor.settings import MonitoringSettings, Workspace
from preceptor.tables import DOCUMENTS, read_documents
from preceptor.versions import latest, write_atomic

REPORT = "drift.json"
MIN_DOCUMENTS = 20  # below this many new documents a share says little


class Reference(Protocol):
    """What new documents are compared with: the champion's version, when it was promoted, and its data."""

    @property
    def ref(self) -> str: ...
    @property
    def promoted_at(self) -> str: ...
    @property
    def deid_versions(self) -> tuple[str, ...]: ...


def measure_drift(
    workspace: Workspace,
    settings: MonitoringSettings,
    batches: Sequence[str],
    reference: Reference | None,
    unusable: Collection[str] = (),
) -> dict[str, Any]:
    """Compare the batches that the champion did not learn from with those it did; write and return the report.

    Features: note type, specialty, length in words (fifths of the reference), ICD-10-CM category. No text, no
    identifier. With fewer than `MIN_DOCUMENTS` new documents nothing counts as drifted.
    """
    old: list[DeidentifiedDocument] = []
    new: list[DeidentifiedDocument] = []
    for batch in batches:
        version = latest(workspace.data, f"deid-{batch}")
        if version is None:
            continue
        found = [d for d in read_documents(version.path / DOCUMENTS) if d.patient_ref not in unusable]
        (old if reference and version.name in reference.deid_versions else new).extend(found)
    values = _psi_by_feature(old, new) if old and new else {}
    drifted = len(new) >= MIN_DOCUMENTS and any(v > settings.drift_psi for v in values.values())
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "reference": reference.ref if reference else None,
        "promoted_at": reference.promoted_at if reference else None,
        "reference_documents": len(old),
        "new_documents": len(new) if reference else 0,
        "psi": values,
        "limit": settings.drift_psi,
        "drifted": drifted if reference else False,
    }
    write_atomic(workspace.monitoring / REPORT, json.dumps(report, indent=1))
    return report


def _psi_by_feature(
    old: Sequence[DeidentifiedDocument], new: Sequence[DeidentifiedDocument]
) -> dict[str, float]:
    lengths = [len(d.text.split()) for d in old]
    edges = quantile_bins(lengths)
    result = {
        "note type": psi([d.note_type for d in old], [d.note_type for d in new]),
        "specialty": psi([d.specialty for d in old], [d.specialty for d in new]),
        "length": psi(binned(lengths, edges), binned([len(d.text.split()) for d in new], edges)),
    }
    codes = [[code[:3] for d in docs for code in d.labels.codes] for docs in (old, new)]
    if all(codes):
        result["code category"] = psi(codes[0], codes[1])
    return result
