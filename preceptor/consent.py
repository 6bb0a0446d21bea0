"""Patients whose data may not be used: erased, opted out, or without the consent that is asked for.

The lists belong to the hospital and change; so every stage asks again, and a patient who opts out today is left out
of every data set that is made tomorrow.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable
from contextlib import closing

from preceptor.errors import GateRefused, UsageError
from preceptor.settings import IntakeSettings, Workspace, resolve_path
from preceptor.tables import EXAMPLES, read_examples
from preceptor.vault import Vault, open_vault
from preceptor.versions import DatasetVersion

_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{3,}[A-Za-z0-9]")


class Consent:
    """The opt-out and consent lists, as the keyed hashes by which the vault knows its patients.

    Raises `UsageError` for a list that is missing or no UTF-8 text.
    """

    def __init__(self, vault: Vault, settings: IntakeSettings) -> None:
        self._vault = vault
        opted_out = read_list(settings.opt_out) if settings.opt_out else []
        self._numbers = frozenset(_plain(one) for one in opted_out)
        self._opted_out = vault.alias_macs(opted_out)
        self._allowed = vault.alias_macs(read_list(settings.consent)) if settings.consent else None

    @property
    def digest(self) -> str:
        """Changes when the lists do. Made of keyed hashes, so it tells nothing."""
        allowed = "-" if self._allowed is None else " ".join(sorted(self._allowed))
        return hashlib.sha256(f"{' '.join(sorted(self._opted_out))}|{allowed}".encode()).hexdigest()

    def rule_broken(self, patient_ref: str | None, text: str) -> str | None:
        """`opt-out` or `no-consent` if a document may not be used, else None.

        A document that no record claims (`patient_ref` None) is searched for the numbers of those who opted out.
        """
        if not self._opted_out and self._allowed is None:
            return None
        known = self._vault.aliases_of(patient_ref) if patient_ref else frozenset()
        if known & self._opted_out:
            return "opt-out"
        if patient_ref is None and any(_plain(number) in self._numbers for number in _NUMBER.findall(text)):
            return "opt-out"
        if self._allowed is not None and not known & self._allowed:
            return "no-consent"
        return None

    def unusable(self) -> frozenset[str]:
        """References of the vault's patients who opted out, or did not consent where that is asked for."""
        unusable = self._vault.patients_known_as(self._opted_out)
        if self._allowed is not None:
            unusable |= self._vault.patients() - self._vault.patients_known_as(self._allowed)
        return unusable


def unusable_patients(vault: Vault, settings: IntakeSettings) -> frozenset[str]:
    """References of all patients whose data no stage may use: erased, opted out, without consent."""
    return vault.erased_patients() | Consent(vault, settings).unusable()


def read_list(name: str) -> list[str]:
    """The patient ids and MRNs of a list: the first column of a CSV, lines with `#` passed over. Red.

    Raises `UsageError` if it is missing or no UTF-8 text.
    """
    path = resolve_path(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError:
        raise UsageError(f"There is no list of patients {path} (intake.opt_out, intake.consent).") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: a list of patients is UTF-8 text, one id a line.") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [row[0] for row in csv.reader(lines) if row and _plain(row[0])]


def _plain(identifier: str) -> str:
    return "".join(c for c in identifier.upper() if c.isalnum())


def require_usable(
    workspace: Workspace, settings: IntakeSettings, versions: Iterable[DatasetVersion], what: str
) -> None:
    """Refuse to use versions of examples (`examples.parquet`) that hold a patient whose data may not be used.

    A list may have grown since they were made. Raises `GateRefused` naming the version; `what` is what was to be done.
    """
    if settings.opt_out is None and settings.consent is None:
        return  # erasure takes an erased patient's rows out of every version by itself
    with closing(open_vault(workspace)) as vault:
        unusable = unusable_patients(vault, settings)
    for version in versions:
        count = sum(example.patient_ref in unusable for example in read_examples(version.path / EXAMPLES))
        if count:
            raise GateRefused(
                f"{what} refused: {version.stage}/{version.name} holds {count} examples of patients who have opted out "
                "or did not consent (rule consent). Make the data anew without them: preceptor run, or materialize "
                "curated_examples in the UI."
            )
