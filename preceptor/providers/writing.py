"""A provider's model as a generator of synthetic examples, behind the same policy as training there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from preceptor.planning import load_prices
from preceptor.providers import policy, trail
from preceptor.providers.connection import Connection, ProviderFailed
from preceptor.providers.cost import answering_cost, price_of
from preceptor.providers.material import question_tokens
from preceptor.providers.policy import Permit, Writing, provider_named
from preceptor.records import Example
from preceptor.release.store import open_store
from preceptor.settings import ProviderSettings, Settings, Workspace
from preceptor.synthesis.stage import PROMPT
from preceptor.tables import EXAMPLES, read_examples
from preceptor.versions import DatasetVersion, digest

WHY = "synthesis by a provider"  # as the audit log has it


def plan(settings: Settings, curated: DatasetVersion) -> Writing:
    """Say what would be sent to `synthesis.provider`. Raises `UsageError` if it is not configured."""
    return _plan(settings, curated.name, _sources(curated))


def _plan(settings: Settings, curated: str, train: Sequence[Example]) -> Writing:
    name, wanted = settings.synthesis.provider, settings.synthesis
    provider = provider_named(name, settings)
    candidates = min(wanted.candidates, len(train))
    # Which of them are seeds is decided later: the mean stands for each.
    read = round(sum(question_tokens(example) for example in train) * candidates / max(1, len(train)))
    written = candidates * wanted.max_new_tokens
    return Writing(
        provider=name,
        endpoint=provider.base_url,
        api=provider.api,
        model=provider.model,
        region=provider.region,
        curated=curated,
        candidates=candidates,
        instruction=digest(PROMPT),
        max_new_tokens=wanted.max_new_tokens,
        estimated_tokens=read + written,
        estimated_cost=answering_cost(read, written, price_of(load_prices(), provider)),
    )


class Writer:
    """Writes with the model of `synthesis.provider`, sampled at temperature 0.7 from the 0.9 nucleus.

    Nothing is decided or sent before the first `generate`. That raises `PolicyRefused` where it is not approved, `UsageError`
    without a key, `ProviderFailed` without a usable answer.
    """

    def __init__(self, workspace: Workspace, settings: Settings, curated: DatasetVersion) -> None:
        self._workspace, self._settings, self._curated = workspace, settings, curated
        self._provider: ProviderSettings = provider_named(settings.synthesis.provider, settings)
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        """How its rows are marked."""
        return (
            f"provider:{self._settings.synthesis.provider}:{self._provider.base_url}:{self._provider.model}"
        )

    def generate(self, prompts: Sequence[str], seed: int) -> list[str]:
        """One text for each prompt."""
        if self._connection is None:
            train = _sources(self._curated)
            self._connection = self._connected(self._permit(train), train)
        return [self._ask(self._connection, prompt, seed) for prompt in prompts]

    def _permit(self, train: Sequence[Example]) -> Permit:
        vault, name = self._settings.vault, self._settings.synthesis.provider
        with (
            trail.noting_refusals(self._workspace, vault, WHY, name),
            closing(open_store(self._workspace, vault)) as store,
        ):
            return policy.permit_asking(
                store, self._provider, _plan(self._settings, self._curated.name, train)
            )

    def _connected(self, permit: Permit, train: Sequence[Example]) -> Connection:
        connection = Connection(self._provider)
        details = {
            "provider": self._settings.synthesis.provider,
            "endpoint": permit.endpoint,
            "approval": permit.approval,
            "curated": permit.curated,
        }
        documents = sorted({ref for example in train for ref in example.document_refs})
        trail.note_sent(self._workspace, self._settings.vault, WHY, details, documents)
        return connection

    def _ask(self, connection: Connection, prompt: str, seed: int) -> str:
        provider = self._provider
        body: dict[str, Any] = {
            "model": provider.deployment or provider.model,
            "messages": [{"role": "user", "content": prompt}],
            provider.limit_parameter: self._settings.synthesis.max_new_tokens,
            "temperature": 0.7,
            "top_p": 0.9,
            "seed": seed,
        }
        found = connection.post("chat", "completions", body=body, repeatable=True)
        try:
            return str(found["choices"][0]["message"]["content"]).strip()
        except (KeyError, IndexError, TypeError):
            pass
        raise ProviderFailed(
            f"{provider.base_url} gave an answer without text (rule provider-protocol). Does it speak OpenAI's chat completions?"
        )


def _sources(curated: DatasetVersion) -> list[Example]:
    return [example for example in read_examples(curated.path / EXAMPLES) if example.split == "train"]
