"""Settings of the watch over production: windows, references, and when each measure is an alarm; docs/monitoring.md."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Section):
    """When a measure is an alarm. A window of whole days is *bad* if the measure is beyond `limit`, and chance alone brings it
    there in fewer than `significance` of windows while the truth is at `clear`; it is *good* if the measure is within `clear`."""

    limit: float
    clear: float
    minimum: int = Field(
        ge=1
    )  # answers, final texts or ratings in a window; it takes more days until it has them
    severity: Literal["warn", "error"] = "warn"
    # Whether limit and clear bound the change from the reference, or the measure by itself; a choice for shares only.
    relative: bool = True
    days: int = Field(default=1, ge=1)  # the fewest days of a window
    raise_after: int = Field(default=2, ge=1)  # bad windows in a row
    clear_after: int = Field(default=3, ge=1)  # good windows in a row
    significance: float = Field(default=0.01, gt=0, lt=0.5)

    @model_validator(mode="after")
    def _clear_lies_within_the_limit(self) -> Rule:
        if not 0 <= self.clear < self.limit:
            raise ValueError("clear must be at least 0 and below limit, or the alarm would flap")
        return self


def _share(limit: float, clear: float, minimum: int = 100, **more: Any) -> Rule:
    return Rule(limit=limit, clear=clear, minimum=minimum, **more)


def _shift(minimum: int = 100, **more: Any) -> Rule:
    # The convention for stability indices: up to 0.1 no change, above 0.25 a major one (Siddiqi 2006).
    return Rule(limit=0.25, clear=0.1, minimum=minimum, **more)


def _gap() -> Rule:
    # A week at a time, for groups are small; `minimum` is for each group.
    return Rule(limit=0.15, clear=0.05, minimum=30, relative=False, days=7)


_SHARES = ("turned_away", "errors", "leaks", "abstained", "cut_off", "disconnected")


class AlarmRules(_Section):
    """A rule a measure. Give a mapping with the keys to change, or null to have no such alarm."""

    # the service: everything that was asked
    # Of requests a day, in doublings up or down, a week at a time since weekends are quiet.
    volume: Rule | None = Rule(limit=1.0, clear=0.585, minimum=50, days=7, raise_after=1, clear_after=1)
    turned_away: Rule | None = _share(0.05, 0.01, 50, relative=False, severity="error")
    # a version
    errors: Rule | None = _share(0.05, 0.01, 50, relative=False, severity="error")
    cut_off: Rule | None = _share(0.10, 0.03)
    disconnected: Rule | None = _share(0.10, 0.03)
    slow: Rule | None = Rule(limit=0.5, clear=0.2, minimum=100)  # the 95th percentile, half as long again
    slow_start: Rule | None = Rule(limit=0.5, clear=0.2, minimum=100)
    abstained: Rule | None = _share(0.10, 0.03)
    leaks: Rule | None = _share(0.02, 0.005, 200, severity="error")  # two answers more in a hundred
    kept: Rule | None = Rule(limit=0.10, clear=0.04, minimum=40, severity="error")  # of the draft's words
    rating: Rule | None = Rule(limit=0.5, clear=0.2, minimum=40, severity="error")  # on a scale of 1 to 5
    # what it is asked, and what it writes
    task: Rule | None = _shift()
    note_type: Rule | None = _shift()
    specialty: Rule | None = _shift()
    language: Rule | None = _shift()
    prompt_length: Rule | None = _shift()
    prompt_words: Rule | None = _shift()
    answer_length: Rule | None = _shift()
    answer_words: Rule | None = _shift()
    # by how much clinicians keep less of its drafts for one group than for the others
    gap_sex: Rule | None = _gap()
    gap_age_band: Rule | None = _gap()
    gap_language: Rule | None = _gap()
    gap_specialty: Rule | None = _gap()

    @field_validator("*", mode="before")
    @classmethod
    def _on_top_of_the_default(cls, value: Any, info: ValidationInfo) -> Any:
        default = cls.model_fields[info.field_name or ""].default
        return {**default.model_dump(), **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _only_a_share_may_choose(self) -> AlarmRules:
        for name, field in type(self).model_fields.items():
            rule: Rule | None = getattr(self, name)
            if name not in _SHARES and rule is not None and rule.relative != field.default.relative:
                raise ValueError(f"{name}: relative is a choice for shares only: {', '.join(_SHARES)}")
        return self


class TrafficSettings(_Section):
    """How the gateway's log is looked at."""

    window_days: int = Field(default=7, ge=1)  # what the report is about, up to yesterday
    history_days: int = Field(default=60, ge=7)  # in its plots
    # What a version is compared with: `first`, its own first `reference_days` days in use (until they are over, the last
    # days of the champion before); or `training`, for what it is asked and writes, the examples it was trained on.
    reference: Literal["first", "training"] = "first"
    reference_days: int = Field(default=14, ge=3)
    most_days: int = Field(default=28, ge=1)  # a window that has no minimum by then loses its oldest day
    small_group: int = Field(default=10, ge=1)  # of a group with fewer answers nothing is shown but that
    alarms: AlarmRules = AlarmRules()


class RollbackPolicy(_Section):
    """Which alarms of the champion bring the previous one back, without anybody asked; at most once for a champion."""

    on: tuple[Literal["errors", "leaks", "kept", "rating", "abstained", "cut_off"], ...] = ()  # none: off
