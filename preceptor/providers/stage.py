"""Training by a provider as a stage of the pipeline: planned, estimated, run by a process of its own, made a model version."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from preceptor.consent import require_usable
from preceptor.errors import PreceptorError
from preceptor.models import ResolvedModel, resolve
from preceptor.planning import load_prices
from preceptor.providers import VERSION, material, trail
from preceptor.providers.cost import Cost, price_of, training_cost
from preceptor.providers.material import Material
from preceptor.providers.policy import (
    Permit,
    PolicyRefused,
    Sending,
    permit_training,
    provider_named,
    terms_broken,
)
from preceptor.providers.state import ENDS, PREFIX, SUCCEEDED, State, load
from preceptor.quality import require
from preceptor.release.store import open_store
from preceptor.settings import ProviderSettings, Settings, Workspace
from preceptor.tables import EXAMPLES, read_examples
from preceptor.versions import DatasetVersion, digest, find_version, make_version, newest, write_atomic

STAGE, PROVIDER, JOB, RESULT = "model", "provider.json", "job.json", "result.json"
WHY = "fine-tuning by a provider"  # as the audit log has it
# Data set stage -> the suite that must have passed its version before anything of it is sent.
_INPUTS = {"curated": "curated_examples", "synthetic": "synthetic_examples"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sent to which provider, and what that costs. `digest` names the work, whatever it costs."""

    provider: str
    settings: ProviderSettings
    datasets: list[DatasetVersion]
    material: Material
    sending: Sending
    estimate: Cost
    digest: str
    folder: Path

    @property
    def suffix(self) -> str:
        """The name of the job at the provider; short, since some take 18 characters."""
        return f"p-{self.digest}"


def plan(workspace: Workspace, settings: Settings, name: str) -> Plan:
    """Take the newest judged data and say what would be sent; nothing is written and nothing leaves.

    Raises `UsageError` for an unknown provider, `GateRefused` when the data have no passing verdict or hold a patient who
    has opted out since, `PreceptorError` for too few examples.
    """
    provider = provider_named(name, settings)
    datasets = []
    for stage, suite in _INPUTS.items():
        version = newest(workspace.data, stage)
        require(workspace.data, suite, version.name)
        datasets.append(version)
    require_usable(workspace, settings.intake, datasets, "Sending to a provider")
    given = material.gather(datasets)
    price = price_of(load_prices(), provider)
    estimate = training_cost(given.measured["training"].tokens * provider.epochs, price)
    sending = Sending(
        provider=name,
        endpoint=provider.base_url,
        api=provider.api,
        model=provider.model,
        region=provider.region,
        data={version.stage: version.name for version in datasets},
        files=given.measured,
        test_cases=sum(e.split == "test" for e in read_examples(datasets[0].path / EXAMPLES)),
        epochs=provider.epochs,
        seed=provider.seed,
        estimated_tokens=estimate.trained_tokens or 0,
        estimated_cost=estimate.dollars,
    )
    work = digest({k: v for k, v in sending.facts().items() if not k.startswith("estimated")})[:12]
    folder = workspace.training / f"{PREFIX}{work}"
    return Plan(name, provider, datasets, given, sending, estimate, work, folder)


def state_of(planned: Plan) -> State:
    """How far the job of a plan has come; a new one before it was begun."""
    return load(planned.folder) or State(
        planned.provider, planned.settings.base_url, planned.settings.model, planned.suffix
    )


def permit_of(workspace: Workspace, settings: Settings, planned: Plan, state: State) -> Permit | None:
    """What a job needs to be begun; None where it was, since then nothing more is sent. A refusal is in the audit log.

    Raises `PolicyRefused`.
    """
    if state.job is not None and (state.status not in ENDS or state.status == SUCCEEDED):
        return None
    with (
        trail.noting_refusals(workspace, settings.vault, WHY, planned.provider),
        closing(open_store(workspace, settings.vault)) as store,
    ):
        return permit_training(store, planned.settings, planned.sending, state.used)


def estimate(workspace: Workspace, settings: Settings, name: str) -> dict[str, Any]:
    """All of a plan that may be shown: counts, hashes, the cost, and what stands against sending it now. Raises what `plan`
    does."""
    planned = plan(workspace, settings, name)
    state = state_of(planned)
    refused = terms_broken(name, planned.settings)
    if not refused:
        try:
            with closing(open_store(workspace, settings.vault)) as store:
                permit_training(store, planned.settings, planned.sending, state.used)
        except PolicyRefused as refusal:
            refused = [refusal]
    return {
        **planned.sending.facts(),
        "price": {
            k: v for k, v in asdict(planned.estimate).items() if k not in ("trained_tokens", "dollars")
        },
        "job": state.job,
        "status": state.status,
        "refused": [{"rule": refusal.rule, "text": str(refusal)} for refusal in refused],
    }


@dataclass(frozen=True, slots=True)
class Job:
    """The folder of a job with a provider."""

    digest: str
    folder: str


@dataclass(frozen=True, slots=True)
class PreparedAtProvider:
    """A training by a provider, ready to run as a local one is: `command` follows it, `collect` takes its result."""

    workspace: Workspace
    planned: Plan
    base: ResolvedModel
    job: Job
    command: list[str]
    environment: dict[str, str]
    finished: DatasetVersion | None

    def collect(self) -> DatasetVersion:
        """The model version. Raises `PreceptorError` if the job did not come to its end."""
        return self.finished or collect(self.workspace, self.planned, self.base)

    def why_stopped(self) -> str:
        """Why the command failed, in words for a person."""
        return f"the job at {self.planned.provider} did not come to its end; its last lines above say why."


def prepare(
    workspace: Workspace, settings: Settings, tracking_uri: str, experiment: Callable[[], str]
) -> PreparedAtProvider:
    """Plan the job with `training.provider` and write down what its process needs: settings, no key and no text.

    `experiment` gives the id of the MLflow experiment. Raises what `plan` and `models.resolve` do, and `PolicyRefused`; the
    process decides again, when it is about to send.
    """
    planned = plan(workspace, settings, settings.training.provider)
    base = resolve(settings.base_model, workspace)
    finished = find_version(workspace.models, STAGE, **_made_from(planned))
    if finished is None:
        permit_of(workspace, settings, planned, state_of(planned))
    planned.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    told = {
        "home": str(workspace.home),
        "provider": planned.provider,
        "settings": settings.model_dump(mode="json"),
        "digest": planned.digest,
        "tracking_uri": tracking_uri,
        "experiment_id": "" if finished else experiment(),
    }
    file = planned.folder / JOB
    write_atomic(file, json.dumps(told, indent=1))
    command = [sys.executable, "-m", "preceptor.providers.worker", str(file)]
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONWARNINGS": "ignore"}
    job = Job(planned.digest, str(planned.folder))
    return PreparedAtProvider(workspace, planned, base, job, command, environment, finished)


def result_of(planned: Plan, state: State) -> dict[str, Any]:
    """What a job that succeeded is told with: ids, counts, what it cost by the tokens that the provider says it trained."""
    cost = training_cost(state.trained_tokens, price_of(load_prices(), planned.settings))
    measured = planned.material.measured
    return {
        "job": planned.digest,
        "run_id": state.run_id,
        "provider": planned.provider,
        "endpoint": planned.settings.base_url,
        "api": planned.settings.api,
        "region": planned.settings.region,
        "model": planned.settings.model,
        "fine_tuned_model": state.fine_tuned_model,
        "provider_job": state.job,
        "approval": state.approval,
        "baa": planned.settings.baa.reference if planned.settings.baa else None,
        "data": planned.sending.data,
        "examples": measured["training"].examples,
        "validation_examples": measured["validation"].examples,
        "epochs": planned.settings.epochs,
        "trained_tokens": state.trained_tokens,
        "cost": asdict(cost),
        "estimate": asdict(planned.estimate),
        "history": state.history,
    }


def collect(workspace: Workspace, planned: Plan, base: ResolvedModel) -> DatasetVersion:
    """Make a version of what came of a job: the name under which the model answers, and its report. The weights stay there.

    `base` is the home's own base model: its tokenizer measures what the model is asked. Raises `PreceptorError` if the job has no result.
    """
    file = planned.folder / RESULT
    if not file.exists():
        raise PreceptorError(
            f"Training {planned.digest} with {planned.provider} has no result yet; the same command follows it again."
        )
    result = json.loads(file.read_text(encoding="utf-8"))
    history = result.pop("history")

    def write(part: Path) -> dict[str, Any]:
        (part / PROVIDER).write_text(json.dumps(result, indent=1) + "\n")
        (part / "training.json").write_text(json.dumps({**result, "history": history}, indent=1))
        return {
            "job": result["job"],
            "run_id": result["run_id"],
            "base_model": f"{planned.provider}:{result['model']}",
            "base_digest": _base_digest(planned.settings),
            "measured_by": base.name,
            "measured_by_digest": base.digest,
            "objective": "answers",
            "method": "provider",
            **{key: result[key] for key in ("examples", "validation_examples", "fine_tuned_model")},
            "trained_tokens": result["trained_tokens"],
            "cost": result["cost"]["dollars"],
            "estimated_cost": result["estimate"]["dollars"],
        }

    return make_version(workspace.models, STAGE, **_made_from(planned), write=write)


def _made_from(planned: Plan) -> dict[str, Any]:
    inputs = {"base": _base_digest(planned.settings), **planned.sending.data}
    recipe = {
        "provider": planned.provider,
        "model": planned.settings.model,
        "epochs": planned.settings.epochs,
        "seed": planned.settings.seed,
        "work": planned.digest,
    }
    return {"inputs": inputs, "config": {"recipe": recipe}, "code": f"provider-{VERSION}"}


def _base_digest(provider: ProviderSettings) -> str:
    """Of the address and name: nobody outside can say which weights stand behind them."""
    return digest([provider.base_url, provider.model])
