"""Presidio operators: a patient's surrogates, and masks."""

from __future__ import annotations

from typing import Any

from presidio_anonymizer.operators import Operator, OperatorType

from preceptor.errors import UsageError


class SurrogateOperator(Operator):
    """Replaces a value by its stand-in. Parameters: `surrogates` (a `Surrogates`), `entity_type` (set by Presidio)."""

    def operate(self, text: str, params: dict[str, Any] | None = None) -> str:
        given = params or {}
        return given["surrogates"].replace(given["entity_type"], text)

    def validate(self, params: dict[str, Any] | None = None) -> None:
        if not params or "surrogates" not in params:
            raise UsageError("The operator `surrogate` needs the parameter `surrogates`.")

    def operator_name(self) -> str:
        return "surrogate"

    def operator_type(self) -> OperatorType:
        return OperatorType.Anonymize


class MaskTypeOperator(Operator):
    """Replaces a value by its type in brackets; an age that may stay, and state, country and year, stay."""

    def operate(self, text: str, params: dict[str, Any] | None = None) -> str:
        from preceptor.deid.surrogates import age_of
        from preceptor.deid.types import KEPT, OLDEST_AGE_KEPT

        kind = (params or {})["entity_type"]
        if kind == "AGE" and (age_of(text) or 0) > OLDEST_AGE_KEPT:
            return "90+"
        return text if kind in KEPT else f"[{kind}]"

    def validate(self, params: dict[str, Any] | None = None) -> None:
        """No parameters of its own."""

    def operator_name(self) -> str:
        return "mask_type"

    def operator_type(self) -> OperatorType:
        return OperatorType.Anonymize
