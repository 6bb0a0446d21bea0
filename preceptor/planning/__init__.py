"""Sizing: which GPUs a fine-tuning needs, how long it takes there, what that costs, and whether to rent or to buy."""

from preceptor.planning.decision import Decision, decide
from preceptor.planning.plan import Plan
from preceptor.planning.prices import FineTuning, Prices, TokenPrice, gpu_named, load_prices
from preceptor.planning.report import document
from preceptor.planning.search import Question, Sized
from preceptor.planning.speed import MFU
from preceptor.planning.subject import Subject, find_subject

__all__ = [
    "MFU",
    "Decision",
    "FineTuning",
    "Plan",
    "Prices",
    "Question",
    "Sized",
    "Subject",
    "TokenPrice",
    "decide",
    "document",
    "find_subject",
    "gpu_named",
    "load_prices",
]
