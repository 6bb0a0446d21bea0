"""Smoke prompts: what a version's own files must answer before the champion alias moves. The rules; no model is known here.

`preceptor.serving.smoke` loads the files and asks them. Promotion takes that as a callable, so that it needs no model either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.errors import GateRefused
from preceptor.release.registry import VersionInfo
from preceptor.settings import read_as, resolve_path

RULE = "smoke-failed"

# Asks a version's files; returns what goes into the record (numbers, names and case ids) or raises `GateRefused`.
Smoke = Callable[[VersionInfo], dict[str, Any]]


class Prompt(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    prompt: str = Field(min_length=1)


class Suite(BaseModel):
    """What is asked and what is let pass: recipes/smoke-prompts.yaml, where each key is explained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: tuple[Prompt, ...] = Field(min_length=1)
    evaluated_cases: int = Field(ge=0)
    max_new_tokens: int = Field(ge=1)
    same_tokens: int = Field(ge=1)
    agree: float = Field(gt=0, le=1)
    seconds: float = Field(gt=0)

    @model_validator(mode="after")
    def _compares_what_is_written(self) -> Suite:
        if self.same_tokens > self.max_new_tokens:
            raise ValueError("same_tokens may not exceed max_new_tokens")
        return self


def read_suite(path: str) -> Suite | None:
    """The suite that `release.smoke_prompts` names; None for an empty path. Raises `UsageError` naming key, file and line."""
    return read_as(resolve_path(path), Suite) if path else None


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one question. `begins` is the text of its first `same_tokens` tokens, `whole` whether that is all of it,
    `empty` whether there is no text at all; `finite`: no logit behind it was NaN or infinite; `seconds` by the clock. `expected` is what evaluation got, None for a
    prompt that it never asked."""

    id: str
    begins: str
    whole: bool
    empty: bool
    finite: bool
    seconds: float
    expected: str | None = None

    def fault(self, seconds: float) -> str | None:
        """What no answer may be, whatever was expected: not-finite, slow or empty."""
        if not self.finite:
            return "not-finite"
        if self.seconds > seconds:
            return "slow"
        # A model may answer a case with nothing, if that is what was evaluated.
        return "empty" if self.empty and self.expected != "" else None

    def agrees(self) -> bool:
        """Whether it begins as evaluation's answer does."""
        assert self.expected is not None
        if self.whole:
            return self.begins == self.expected
        # The cut may go through a letter of several bytes, of which a replacement character is left.
        return self.expected.startswith((self.begins, self.begins.removesuffix("\ufffd").rstrip()))


def judged(ref: str, suite: Suite, replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the facts of a suite that held. Raises `GateRefused` naming the rule, the ids and what is wrong, never a text."""
    faults = [(reply.id, fault) for reply in replies if (fault := reply.fault(suite.seconds))]
    compared = [reply for reply in replies if reply.expected is not None]
    differing = [reply.id for reply in compared if not reply.agrees()]
    if len(compared) - len(differing) < math.ceil(suite.agree * len(compared)):
        known = {id for id, _ in faults}
        faults += [(id, "differs") for id in differing if id not in known]
    if faults:
        raise refused(ref, "; ".join(f"{id}: {fault}" for id, fault in faults))
    return {
        "asked": len(replies),
        "compared": len(compared),
        "differing": differing,
        "slowest_seconds": round(max(reply.seconds for reply in replies), 2),
    }


def refused(ref: str, why: str) -> GateRefused:
    """The refusal of a version whose files did not answer as they must."""
    return GateRefused(
        f"{ref}: the files that would be served did not answer as they must (rule {RULE}: {why}). Nothing was changed. "
        "docs/release.md#smoke-prompts says what each word means."
    )
