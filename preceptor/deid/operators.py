"""Presidio operators: a patient's surrogates, and masks.

Any Presidio user can load them, with his own recognisers:

    engine = AnonymizerEngine()
    engine.add_anonymizer(SurrogateOperator)
    engine.anonymize(text, results, {"DEFAULT": OperatorConfig("surrogate", {"key": key, "patient": "17"})})

Presidio's own entity names (PERSON, DATE_TIME, US_SSN, …) are understood beside those of `preceptor.deid.types`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from presidio_anonymizer.operators import Operator, OperatorType

from preceptor.deid.masks import masked
from preceptor.deid.policies import POLICIES
from preceptor.deid.surrogates import Surrogates
from preceptor.deid.types import type_of
from preceptor.errors import UsageError

_SHORTEST_KEY = 16  # bytes; below, the key could be searched for


class SurrogateOperator(Operator):
    """Replaces a value by its stand-in.

    Parameters: `surrogates` (a `Surrogates`), or `key` (16 bytes or more) and `patient` (any name for whose text it
    is: the same one, the same stand-ins) with `policy` ("shifted"). `near` and `before` as `Surrogates.replace` has
    them. `entity_type` is set by Presidio.
    """

    def operate(self, text: str, params: dict[str, Any] | None = None) -> str:
        given = params or {}
        surrogates = given.get("surrogates") or _surrogates(
            bytes(given["key"]), str(given["patient"]), given.get("policy", "shifted")
        )
        return surrogates.replace(
            type_of(given["entity_type"]), text, given.get("near"), given.get("before", "")
        )

    def validate(self, params: dict[str, Any] | None = None) -> None:
        given = params or {}
        if "surrogates" in given:
            return
        if "key" not in given or "patient" not in given:
            raise UsageError("The operator `surrogate` needs `surrogates`, or `key` and `patient`.")
        if not isinstance(given["key"], bytes) or len(given["key"]) < _SHORTEST_KEY:
            raise UsageError(f"The operator `surrogate` needs a `key` of {_SHORTEST_KEY} bytes or more.")
        if given.get("policy", "shifted") not in POLICIES:
            raise UsageError(f"The operator `surrogate` knows the policies {', '.join(POLICIES)}.")

    def operator_name(self) -> str:
        return "surrogate"

    def operator_type(self) -> OperatorType:
        return OperatorType.Anonymize


class MaskTypeOperator(Operator):
    """Replaces a value by its type in brackets. What the policy keeps stays, and ages end at 90+.

    Parameters: `policy` ("shifted"), and `first_year` (0): years before it, which could tell an age over 89, go too.
    """

    def operate(self, text: str, params: dict[str, Any] | None = None) -> str:
        given = params or {}
        policy = POLICIES[given.get("policy", "shifted")]
        return masked(type_of(given["entity_type"]), text, policy, given.get("first_year", 0))

    def validate(self, params: dict[str, Any] | None = None) -> None:
        """No parameters that could be wrong: settings have checked the policy's name."""

    def operator_name(self) -> str:
        return "mask_type"

    def operator_type(self) -> OperatorType:
        return OperatorType.Anonymize


@lru_cache(maxsize=256)
def _surrogates(key: bytes, patient: str, policy: str) -> Surrogates:
    return Surrogates(key, patient, None, [], policy=POLICIES[policy])
