"""Does the same document, written a little worse or otherwise, get the same answer?"""

from preceptor.evaluation.robustness.probe import robustness

__all__ = ["robustness"]
