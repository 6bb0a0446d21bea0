"""Is the model worse for some groups, or otherwise for a patient who differs in nothing but who he is?"""

from preceptor.evaluation.fairness.probe import fairness

__all__ = ["fairness"]
