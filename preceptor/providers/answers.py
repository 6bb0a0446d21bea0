"""Answers of a model at a provider, over chat completions: of one that was fine-tuned there, behind the same policy as the
training, or of the provider's own, as an arm of its own to compare with."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from preceptor.errors import UsageError
from preceptor.evaluation.answer_cache import Answer
from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.evaluate import chosen_cases
from preceptor.models import ResolvedModel
from preceptor.planning import FineTuning, TokenPrice, load_prices
from preceptor.providers import policy, trail
from preceptor.providers.connection import Connection, ProviderFailed
from preceptor.providers.cost import answering_cost, price_as_it_is, price_of
from preceptor.providers.material import question_tokens
from preceptor.providers.policy import Answering, PolicyRefused, provider_named
from preceptor.providers.stage import PROVIDER
from preceptor.release.store import open_store
from preceptor.settings import ProviderSettings, Settings, VaultSettings, Workspace
from preceptor.tables import EXAMPLES, read_examples
from preceptor.versions import DatasetVersion, digest

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
        price = price_of(load_prices(), provider)
        return ChatAnswers(self._workspace, vault, name, provider, told["fine_tuned_model"], permit, price)


def plan(settings: Settings, curated: DatasetVersion) -> Answering:
    """Say what the arm `endpoint` would send. Raises `UsageError` where no provider is named, or one that is not configured."""
    name, wanted = settings.evaluation.endpoint, settings.evaluation
    provider = provider_named(name, settings)
    cases = chosen_cases(read_examples(curated.path / EXAMPLES), wanted, curated.path, given=False)
    read = sum(question_tokens(case) for case in cases)
    written = len(cases) * wanted.max_new_tokens
    return Answering(
        provider=name,
        endpoint=provider.base_url,
        api=provider.api,
        model=provider.deployment or provider.model,
        region=provider.region,
        curated=curated.name,
        cases=len(cases),
        max_new_tokens=wanted.max_new_tokens,
        estimated_tokens=read + written,
        estimated_cost=answering_cost(read, written, price_as_it_is(load_prices(), provider)),
    )


def endpoint_model(
    workspace: Workspace, settings: Settings, base: ResolvedModel, curated: DatasetVersion | None
) -> ArmModel:
    """The model of the arm `endpoint`: the provider's own, as it is; `base` only measures what it is asked.

    Its digest names endpoint and model: the provider may change what answers under one name, and answers that are kept are
    not asked again. Raises `PolicyRefused` where nobody has approved sending the test cases, and for cases of a file
    (`curated` None) always.
    """
    name, vault = settings.evaluation.endpoint, settings.vault
    provider = provider_named(name, settings)
    with (
        trail.noting_refusals(workspace, vault, _WHY, name),
        closing(open_store(workspace, vault)) as store,
    ):
        policy.require_terms(name, provider)
        if curated is None:
            raise policy.not_of_a_file(provider)
        permit = policy.permit_asking(store, provider, plan(settings, curated))
    model = provider.deployment or provider.model
    price = price_as_it_is(load_prices(), provider)
    answers = ChatAnswers(workspace, vault, name, provider, model, permit, price, splits=("test",))
    return ArmModel(
        f"{model} at {name}",
        base.path,
        None,
        digest([base.digest, provider.base_url, provider.api, model]),
        answers,
    )


class ChatAnswers:
    """Asks one model, one question at a time, at temperature 0. What is sent is noted in the audit log before the first, as
    made from the documents of these `splits` of the data: an arm with retrieval shows training examples."""

    def __init__(
        self,
        workspace: Workspace,
        vault: VaultSettings,
        name: str,
        provider: ProviderSettings,
        model: str,
        permit: policy.Permit,
        price: FineTuning | TokenPrice | None,
        splits: Sequence[str] = ("test", "train"),
    ) -> None:
        self._price, self._splits = price, splits
        self._workspace, self._vault, self._name = workspace, vault, name
        self._provider, self._model, self._permit = provider, model, permit
        self._connection: Connection | None = None

    @property
    def where(self) -> str:
        """The address that is asked."""
        return self._provider.base_url

    def cost(self, prompt_tokens: int, new_tokens: int) -> float | None:
        """US dollars by the price list; None where it has no price."""
        return answering_cost(prompt_tokens, new_tokens, self._price)

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
        cases = [e for e in read_examples(folder / EXAMPLES) if e.split in self._splits]
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
