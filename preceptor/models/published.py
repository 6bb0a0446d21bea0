"""What is told of a model, and where: sources with dates, and published scores."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Benchmark = Literal["MedQA", "MedMCQA", "PubMedQA", "HealthBench"]


class Told(BaseModel):
    """Where something was read, and as of when. `certain` is false for what is from memory or told by others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=1)
    as_of: date
    certain: bool = True


class Score(Told):
    """A published score, in per cent. `tuned`: on that benchmark's own training set, which says nothing of the model as it
    comes. `how`: what else sets it apart from answering once."""

    benchmark: Benchmark
    value: float = Field(ge=0, le=100)
    tuned: bool = False
    how: str = ""
