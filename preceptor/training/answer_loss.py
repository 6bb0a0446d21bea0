"""The trainer on a CPU: TRL's, but the vocabulary is scored only where an answer's token is to be learned.

On a GPU, TRL's own fused head leaves out the positions without a label. On a CPU it scores every one; of a prompt
five times as long as its answer, that is as much time as all the layers before take.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.nn import functional
from trl import SFTTrainer

IGNORED = -100  # the label of a token that is not learned


def supports(model: Any) -> bool:
    """Whether the model can be asked for the logits of chosen positions alone."""
    return "logits_to_keep" in inspect.signature(type(model).forward).parameters


class AnswerLossTrainer(SFTTrainer):
    """`SFTTrainer` with the same loss at less work. The model must be one that `supports` allows."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the summed cross entropy of the labelled tokens over `num_items_in_batch` (their number if None)."""
        inputs = dict(inputs)
        labels = functional.pad(
            inputs.pop("labels")[:, 1:], (0, 1), value=IGNORED
        )  # (rows, tokens), the next token
        kept = (labels != IGNORED).any(dim=0).nonzero()[:, 0]
        outputs = model(**inputs, use_cache=False, logits_to_keep=kept)
        logits = outputs.logits.float().flatten(0, 1)  # (rows * kept, vocabulary)
        labels = labels[:, kept].flatten()
        items = (labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        loss = functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        loss = loss / torch.as_tensor(items).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            # The number counts the tokens of all processes, and their gradients are averaged.
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss
