"""Prompts that must be refused or handled: are they?"""

from preceptor.evaluation.safety.probe import safety

__all__ = ["safety"]
