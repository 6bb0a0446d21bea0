"""The second pass over what a model wrote: does the answer still follow from the text?

Asked is this machine's base model, in the way that it can be trusted in: not for an opinion, but for how likely the answer
is to it with the new text, with the text that was rewritten, and with none. What a text tells of its answer is the
difference (as in round-trip filtering, Alberti et al. 2019, and the instruction-following difficulty of Li et al. 2023); a
rewrite that tells less than half of what its source did has lost what the answer rests on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from preceptor.records import Example
from preceptor.synthesis.checkpoint import Checkpoint

_HALF = 0.5
_TELLS = 0.05  # nats a token of the answer: a source that tells less cannot be lost
_LONGEST = 4096  # tokens of question and answer
Verdict = Literal["kept", "lost", "undecided"]


@dataclass(frozen=True, slots=True)
class Told:
    """How many nats a token the answer is likelier with the source, and with the new text, than without either."""

    source: float
    text: float

    @property
    def verdict(self) -> Verdict:
        """`undecided` where the source itself tells the model nothing of the answer."""
        if self.source < _TELLS:
            return "undecided"
        return "kept" if self.text >= _HALF * self.source else "lost"


class Judge:
    """A checkpoint that is read, and writes nothing."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def told(self, seed: Example, text: str) -> Told:
        """Compare a rewritten text with the source of its seed, by the seed's answer."""
        without = self._loss(seed.instruction, seed.answer)
        return Told(
            without - self._loss(seed.prompt, seed.answer),
            without - self._loss(seed.told(text).prompt, seed.answer),
        )

    def _loss(self, prompt: str, answer: str) -> float:
        """The mean cross entropy of the answer's tokens, in nats."""
        import torch
        from torch.nn.functional import cross_entropy

        tokenizer, model = self._checkpoint.load()
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        before = tokenizer(asked, add_special_tokens=False)["input_ids"]
        wanted = tokenizer(answer, add_special_tokens=False)["input_ids"]
        # Of a text that is too long the end of the question stays, which the answer follows.
        before = before[-max(1, _LONGEST - len(wanted)) :]
        ids = torch.tensor([before + wanted], device=model.device)
        with torch.inference_mode():
            logits = model(ids, logits_to_keep=len(wanted) + 1).logits[0, :-1].float()
        return float(cross_entropy(logits, ids[0, len(before) :]))
