"""A training by a provider in MLflow, beside the local ones: parameters, losses, tokens and cost; no text."""

from __future__ import annotations

from typing import Any

from preceptor.planning import load_prices
from preceptor.providers.cost import price_of, training_cost
from preceptor.providers.stage import Plan
from preceptor.providers.state import State
from preceptor.release.mlflow_client import reaching


def tracked(uri: str, experiment_id: str, planned: Plan, state: State) -> str | None:
    """Write the run of a job that ended and return its id; the same job is one run. None where nothing is tracked."""
    if not uri or not experiment_id:
        return None
    with reaching(uri) as client:
        return _run_of(client, experiment_id, planned, state)


def _run_of(client: Any, experiment_id: str, planned: Plan, state: State) -> str:
    found = client.search_runs(
        [experiment_id], filter_string=f"tags.provider_job = '{state.job}'", max_results=1
    )
    if found:
        return found[0].info.run_id
    run_id = client.create_run(experiment_id, run_name=f"{planned.provider}-{planned.digest}").info.run_id
    parameters = {
        "base_model": f"{planned.provider}:{state.model}",
        "fine_tuned_model": state.fine_tuned_model,
        "endpoint": state.endpoint,
        "epochs": planned.settings.epochs,
        "data": ",".join(planned.sending.data.values()),
    }
    for key, value in parameters.items():
        client.log_param(run_id, key, value)
    for row in state.history:
        for key in ("loss", "eval_loss"):
            if key in row:
                client.log_metric(run_id, key, row[key], step=row["step"])
    cost = training_cost(state.trained_tokens, price_of(load_prices(), planned.settings))
    figures = {
        "trained_tokens": state.trained_tokens,
        "cost_usd": cost.dollars,
        "estimated_cost_usd": planned.estimate.dollars,
    }
    for key, figure in figures.items():
        if figure is not None:
            client.log_metric(run_id, key, figure)
    client.set_terminated(run_id)
    client.set_tag(
        run_id, "provider_job", state.job
    )  # last: a run without it was cut short, and is made again
    return run_id
