"""Answers of a fine-tuned model at its provider, over chat completions, behind the same policy as the training."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from preceptor.errors import UsageError
from preceptor.evaluation.answer_cache import Answer
from preceptor.planning import load_prices
from preceptor.providers import policy, trail
from preceptor.providers.connection import Connection, ProviderFailed
from preceptor.providers.cost import answering_cost, price_of
from preceptor.providers.policy import PolicyRefused, provider_named
from preceptor.providers.stage import PROVIDER
from preceptor.release.store import open_store
from preceptor.settings import ProviderSettings, Settings, VaultSettings, Workspace
from preceptor.tables import EXAMPLES, read_examples

_WHY = "evaluation of a provider's model"


class AnswersOf:
    """Gives the answers of the model in a folder with provider.json, to the test cases of the curated version `curated`;
    None where the cases are others."""

    def __init__(self, workspace: Workspace, settings: Settings, curated: str | None) -> None:
        self._workspace, self._settings, self._curated = workspace, settings, curated

    def __call__(self, folder: Path) -> ChatAnswers:
        """Raises `UsageError` for a provider that is not configured, or a model that was not deployed; `PolicyRefused` where
        nobody has approved sending those cases."""
        told = json.loads((folder / PROVIDER).read_text(encoding="utf-8"))
        name = told["provider"]
        provider = provider_named(name, self._settings)
        if provider.base_url != told["endpoint"]:
            raise UsageError(
                f"The model {told['fine_tuned_model']} is at {told['endpoint']}, and providers.{name}.base_url is "
                f"{provider.base_url} (rule provider-moved). Configure the provider that it is at."
            )
        if provider.api == "azure" and not provider.deployment:
            raise UsageError(
                f"Azure answers for a fine-tuned model only where it is deployed (rule not-deployed). Deploy "
                f"{told['fine_tuned_model']}, and put the deployment's name into providers.{name}.deployment."
            )
        vault = self._settings.vault
        with (
            trail.noting_refusals(self._workspace, vault, _WHY, name),
            closing(open_store(self._workspace, vault)) as store,
        ):
            permit = policy.permit_answers(store, name, provider, self._curated)
        return ChatAnswers(self._workspace, vault, name, provider, told["fine_tuned_model"], permit)


class ChatAnswers:
    """Asks one model, one question at a time, at temperature 0. What is sent is noted in the audit log before the first."""

    def __init__(
        self,
        workspace: Workspace,
        vault: VaultSettings,
        name: str,
        provider: ProviderSettings,
        model: str,
        permit: policy.Permit,
    ) -> None:
        self._workspace, self._vault, self._name = workspace, vault, name
        self._provider, self._model, self._permit = provider, model, permit
        self._connection: Connection | None = None

    @property
    def where(self) -> str:
        """The address that is asked."""
        return self._provider.base_url

    def cost(self, prompt_tokens: int, new_tokens: int) -> float | None:
        """US dollars by the price list; None where it has no price."""
        return answering_cost(prompt_tokens, new_tokens, price_of(load_prices(), self._provider))

    def answer(self, messages: Sequence[Mapping[str, str]], max_new_tokens: int) -> Answer:
        """Raises `UsageError` without a key, `ProviderFailed` without a usable answer."""
        connection = self._connection or self._connected()
        body: dict[str, Any] = {
            "model": self._provider.deployment or self._model,
            "messages": [dict(message) for message in messages],
            self._provider.limit_parameter: max_new_tokens,
            "temperature": 0,
            "seed": self._provider.seed,
        }
        began = time.perf_counter()
        found = connection.post("chat", "completions", body=body, repeatable=True)
        seconds = time.perf_counter() - began
        try:
            choice, usage = found["choices"][0], found["usage"]
            text = choice["message"]["content"] or ""
            return Answer(
                text.strip(),
                int(usage["prompt_tokens"]),
                int(usage["completion_tokens"]),
                choice["finish_reason"] == "stop",
                seconds,
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            pass
        raise ProviderFailed(
            f"{self.where} gave an answer without text or usage (rule provider-protocol). Does it speak OpenAI's chat "
            "completions?"
        )

    def _connected(self) -> Connection:
        if self._permit.endpoint != self._provider.base_url:
            raise PolicyRefused(
                "endpoint-not-approved", f"{self.where} is not the endpoint that was approved."
            )
        connection = Connection(self._provider)
        folder = self._workspace.data / "curated" / self._permit.curated
        cases = [
            example for example in read_examples(folder / EXAMPLES) if example.split in ("test", "train")
        ]
        details = {
            "provider": self._name,
            "endpoint": self.where,
            "approval": self._permit.approval,
            "curated": self._permit.curated,
        }
        documents = sorted({ref for example in cases for ref in example.document_refs})
        trail.note_sent(self._workspace, self._vault, _WHY, details, documents)
        self._connection = connection
        return connection
