"""One loaded version and the answers that it is writing. A lane lives in the engine's thread.

`BatchLane` writes all of its rows together, a token each at a step (growing_cache); rows come and go between steps.
`SingleLane` is for models that cannot be batched so (sliding windows, learned prompts): one answer after the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from preceptor.evaluation import growing_cache
from preceptor.evaluation.decoding import REFILL_SHARE, common_prefix
from preceptor.evaluation.growing_cache import head, merged, new_cache
from preceptor.evaluation.loading import LoadedModel
from preceptor.serving.sampling import Sampling


@dataclass(eq=False, slots=True)
class Job:
    """One prompt and what becomes of it. `emit(token)` gets every token, None and a reason (`stop`, `length`, `cancelled`,
    `error`) at the end; it is called in the engine's thread. `tenant`: prompts of others are never built upon."""

    ids: tuple[int, ...]
    max_new_tokens: int
    sampling: Sampling
    emit: Callable[[int | None, str], None]
    tenant: str = ""
    spare: bool = False  # may be left out when the engine is busy (a shadow's)
    arrived: float = field(default_factory=time.monotonic)
    begun: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)
    written: int = 0
    token: int = -1
    generator: Any = None
    cache: Any = None
    place: int = 0
    length: int = 0


class BatchLane:
    """Rows of one version that are decoded together."""

    def __init__(self, loaded: LoadedModel, rows: int) -> None:
        self.loaded, self.rows = loaded, rows
        self.active: list[Job] = []
        self._batch: list[Job] = []  # the rows as they stand in the cache; some may have ended
        self._cache: Any = None
        self._mask: Any = None
        self._before: tuple[str, tuple[int, ...], Any] | None = None

    @property
    def free(self) -> int:
        return self.rows - len(self.active)

    def read(self, job: Job) -> None:
        """Run the model over a prompt, beginning where it differs from the same tenant's prompt before it."""
        import torch

        model = self.loaded.model
        job.begun, job.generator = time.monotonic(), job.sampling.generator()
        before = self._before if self._before and self._before[0] == job.tenant else None
        shared = common_prefix(before[1], job.ids) if before else 0
        cache = head(before[2], shared) if before and shared else new_cache(model.config.num_hidden_layers)
        device = next(model.parameters()).device
        with torch.inference_mode():
            logits = model(
                input_ids=torch.tensor([list(job.ids[shared:])], device=device),
                position_ids=torch.arange(shared, len(job.ids), device=device)[None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits
        self._before = job.tenant, job.ids, cache
        job.cache, job.place, job.length = cache, 0, len(job.ids)
        if not self._take(job, job.sampling.choose(logits[0, -1], job.generator)):
            self.active.append(job)

    def step(self) -> None:
        """Write one token to every row."""
        import torch

        self._drop_cancelled()
        if not self.active:
            return
        self._arrange()
        model = self.loaded.model
        device = next(model.parameters()).device
        with torch.inference_mode():
            self._mask = torch.cat([self._mask, self._mask.new_ones((len(self._batch), 1))], dim=1)
            logits = model(
                input_ids=torch.tensor([[job.token] for job in self._batch], device=device),
                attention_mask=self._mask,
                position_ids=torch.tensor([[job.length] for job in self._batch], device=device),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            likeliest = logits.argmax(dim=-1).tolist()
        running = set(map(id, self.active))
        ended = []
        for place, job in enumerate(self._batch):
            job.length += 1
            if id(job) in running:
                greedy = job.sampling.temperature == 0
                token = likeliest[place] if greedy else job.sampling.choose(logits[place], job.generator)
                if self._take(job, token):
                    ended.append(job)
        self.active = [job for job in self.active if job not in ended]

    def _arrange(self) -> None:
        """Bring the rows into one cache, if one came, or if enough have ended to be worth the copy."""
        import torch

        gone = len(self._batch) - sum(job in self.active for job in self._batch)
        came = any(job not in self._batch for job in self.active)
        if self._batch and not came and gone <= REFILL_SHARE * len(self._batch):
            return
        self._cache = merged([(job.cache, job.place, job.length) for job in self.active])
        self._batch = list(self.active)
        width = max(job.length for job in self.active)
        device = next(self.loaded.model.parameters()).device
        self._mask = torch.tensor(
            [[0] * (width - j.length) + [1] * j.length for j in self.active], device=device
        )
        for place, job in enumerate(self._batch):
            job.cache, job.place = self._cache, place

    def _take(self, job: Job, token: int) -> bool:
        """Hand a token on; whether the answer has ended with it."""
        if token in self.loaded.end_ids:
            job.emit(None, "stop")
        else:
            job.token, job.written = token, job.written + 1
            job.emit(token, "")
            if job.written < job.max_new_tokens:
                return False
            job.emit(None, "length")
        job.cache = None
        return True

    def _drop_cancelled(self) -> None:
        for job in self.active:
            if job.cancelled.is_set():
                job.emit(None, "cancelled")
        self.active = [job for job in self.active if not job.cancelled.is_set()]
        if not self.active:
            self._batch, self._cache, self._mask = [], None, None

    def fail(self) -> None:
        """End all rows with an error and forget the cache: the next ones begin afresh."""
        for job in self.active:
            job.emit(None, "error")
        self.active, self._batch, self._cache, self._mask, self._before = [], [], None, None, None


class SingleLane:
    """One answer at a time by Transformers' own `generate`; the engine waits for it."""

    rows = 1

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self.active: list[Job] = []

    @property
    def free(self) -> int:
        return 1

    def read(self, job: Job) -> None:
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList
        from transformers.generation.streamers import BaseStreamer

        job.begun = time.monotonic()
        end_ids, ended = self.loaded.end_ids, []

        class Streamer(BaseStreamer):
            first = True

            def put(self, value: Any) -> None:
                if self.first:  # the prompt
                    self.first = False
                    return
                for token in value.tolist():
                    if token in end_ids:
                        ended.append(True)
                    elif not ended:
                        job.written += 1
                        job.emit(token, "")

            def end(self) -> None:
                pass

        class Cancelled(StoppingCriteria):
            def __call__(self, ids: Any, scores: Any, **kwargs: Any) -> Any:
                return torch.full(
                    (ids.shape[0],), job.cancelled.is_set(), device=ids.device, dtype=torch.bool
                )

        drawn = job.sampling.temperature > 0
        if drawn and job.sampling.seed is not None:
            torch.manual_seed(job.sampling.seed)
        ids = torch.tensor([list(job.ids)], device=self.loaded.model.device)
        pad = self.loaded.tokenizer.pad_token_id
        with torch.inference_mode():
            self.loaded.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=job.max_new_tokens,
                do_sample=drawn,
                temperature=job.sampling.temperature if drawn else None,
                top_p=job.sampling.top_p if drawn else None,
                top_k=0 if drawn else None,
                eos_token_id=sorted(end_ids),
                pad_token_id=min(end_ids) if pad is None else pad,
                streamer=Streamer(),
                stopping_criteria=StoppingCriteriaList([Cancelled()]),
            )
        job.emit(None, "stop" if ended else "cancelled" if job.cancelled.is_set() else "length")

    def step(self) -> None:
        """Nothing is left to do after `read`."""

    def fail(self) -> None:
        self.active = []


def lane_of(loaded: LoadedModel, rows: int) -> BatchLane | SingleLane:
    """The faster lane that a model allows."""
    if loaded.whole and growing_cache.supports(loaded.model.config):
        return BatchLane(loaded, rows)
    return SingleLane(loaded)
