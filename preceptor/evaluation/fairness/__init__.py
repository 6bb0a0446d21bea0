"""Is the model worse for some groups? Only groups that a case itself tells: specialty and language."""

from preceptor.evaluation.fairness.probe import fairness

__all__ = ["fairness"]
