"""Counting tokens as a base model does, without loading the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.models.sources import ModelUnavailable, ResolvedModel
from preceptor.versions import file_sha256

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """`name` and `sha256` say whose tokens they are."""

    name: str
    sha256: str
    _tokenizer: Any

    def counts(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, without those that a chat template adds."""
        found: list[int] = []
        for at in range(0, len(texts), _BATCH):
            batch = self._tokenizer.encode_batch_fast(list(texts[at : at + _BATCH]), add_special_tokens=False)
            found += [len(encoding) for encoding in batch]
        return found


def token_counter(model: ResolvedModel) -> TokenCounter:
    """The counter of a base model. Raises `ModelUnavailable` for a checkpoint without tokenizer.json."""
    from tokenizers import Tokenizer

    path = Path(model.path) / "tokenizer.json"
    if not path.exists():
        raise ModelUnavailable(
            f"Base model {model.name}: {model.path} holds no tokenizer.json. Load it with Transformers' AutoTokenizer "
            "and save it again with save_pretrained, which writes one."
        )
    return TokenCounter(model.name, file_sha256(path), Tokenizer.from_file(str(path)))
