"""What is asked for, reckoned: one definite plan, or the cheapest of those that leave open what was not said."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from preceptor.errors import UsageError
from preceptor.planning.plan import Plan
from preceptor.planning.search import Choice, Found, Question, Sized, search, size


@dataclass(frozen=True, slots=True)
class Decision:
    """The plan to look at. `found`: the search it came from, None for a definite one. `instead`, where a definite one does
    not fit: the cheapest that does with its method on such GPUs, with its method on any, and with any."""

    sized: Sized
    found: Found | None = None
    instead: tuple[Sized, ...] = ()


def decide(question: Question, like: Plan, gpu: str | None, given: Set[str]) -> Decision:
    """Reckon `like` on `gpu`. `given` names what of the plan was said; the rest is as in `like` where the method was, and
    open where it was not. The GPU is open where it is None.

    Raises `UsageError` if nothing is left to try.
    """
    if "method" in given and gpu:
        sized = size(question, like, gpu)
        return Decision(sized, instead=() if sized.fits else _instead(question, like, gpu))
    found = search(question, like, _choice(like, gpu, given))
    if not found.others:
        raise UsageError(
            "No plan is as the options say and one that the trainer can carry out; give --method, too."
        )
    return Decision(found.best or found.others[0], found)


def _choice(like: Plan, gpu: str | None, given: Set[str]) -> Choice:
    free = Choice()
    fixed = (
        given | {"gpus", "zero", "offload", "checkpointing", "micro_batch"} if "method" in given else given
    )
    return Choice(
        methods=(like.method,) if "method" in fixed else free.methods,
        gpus=(gpu,) if gpu else free.gpus,
        counts=(like.gpus,) if "gpus" in fixed else free.counts,
        zeros=(like.zero,) if "zero" in fixed else free.zeros,
        offloads=(like.offload,) if "offload" in fixed else free.offloads,
        checkpointing=(like.checkpointing,) if "checkpointing" in fixed else free.checkpointing,
        micro_batches=(like.micro_batch,) if "micro_batch" in fixed else free.micro_batches,
    )


def _instead(question: Question, like: Plan, gpu: str) -> tuple[Sized, ...]:
    near = Choice(methods=(like.method,), gpus=(gpu,))
    choices = (near, Choice(methods=(like.method,)), Choice())
    found = [search(question, like, choice).best for choice in choices]
    return tuple(dict.fromkeys(best for best in found if best))
