"""Language models that write, behind one interface: this machine's model, or one at a provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from preceptor.errors import UsageError
from preceptor.settings import SynthesisSettings
from preceptor.synthesis.checkpoint import Checkpoint


class Generator(Protocol):
    """Writes one text for each prompt. `name` marks its rows; the same prompts and seed give the same texts."""

    @property
    def name(self) -> str: ...

    def generate(self, prompts: Sequence[str], seed: int) -> list[str]: ...


def make_generator(
    settings: SynthesisSettings, base: Callable[[], Checkpoint], provider: Callable[[], Generator] | None
) -> Generator | None:
    """Return the generator that the settings name; None for `none`.

    `base` brings the base model here, and is called only for `local`; `provider` makes the one of a service elsewhere, which
    answers for what may be sent there.
    """
    if settings.generator == "none":
        return None
    if settings.generator == "local":
        return LocalModel(base(), settings.max_new_tokens)
    if provider is None:
        raise UsageError("synthesis.generator is provider, and nothing here connects to one.")
    return provider()


class LocalModel:
    """A Transformers checkpoint on this machine, sampled at temperature 0.7 from the 0.9 nucleus."""

    def __init__(self, checkpoint: Checkpoint, max_new_tokens: int) -> None:
        self._checkpoint = checkpoint
        self._max_new_tokens = max_new_tokens

    @property
    def name(self) -> str:
        return f"local:{self._checkpoint.of.name}@{self._checkpoint.of.digest[:12]}"

    def generate(self, prompts: Sequence[str], seed: int) -> list[str]:
        import torch

        tokenizer, model = self._checkpoint.load()
        texts = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
            )
            for prompt in prompts
        ]
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        torch.manual_seed(seed)
        with torch.inference_mode():
            written = model.generate(
                **batch,
                max_new_tokens=self._max_new_tokens,
                do_sample=True,
                temperature=0.7,
                top_p=0.9,
                pad_token_id=tokenizer.pad_token_id,
            )
        new = written[:, batch["input_ids"].shape[1] :]
        return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]
