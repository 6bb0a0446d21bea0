"""Quality gates: Great Expectations suites at the boundaries between stages, and their verdicts."""

from preceptor.quality.gate import Verdict, check, require

__all__ = ["Verdict", "check", "require"]
