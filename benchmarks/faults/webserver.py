"""Dagster's webserver as its own page talks to it: over GraphQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

_LAUNCH = """mutation($given: ExecutionParams!) { launchRun(executionParams: $given) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
_SWITCH_ON = """mutation($given: SensorSelector!) { startSensor(sensorSelector: $given) {
  __typename ... on PythonError { message } } }"""
_ADD = """mutation($given: RepositorySelector!, $key: String!) { addDynamicPartition(
  repositorySelector: $given, partitionsDefName: "batches", partitionKey: $key) { __typename } }"""
_LOADED = "query { repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"


class Webserver:
    """The one at a port of the loopback, which has loaded the definitions as the location of this name."""

    def __init__(self, port: int, location: str) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self._repository = {"repositoryLocationName": location, "repositoryName": "__repository__"}

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Raises `httpx.HTTPError` where there is no answer, `RuntimeError` for one that is an error."""
        answer = self._http.post("/graphql", json={"query": query, "variables": variables})
        answer.raise_for_status()
        found = answer.json()
        if found.get("errors"):
            raise RuntimeError(found["errors"][0]["message"])
        return found["data"]

    def has_loaded(self) -> bool:
        """Whether it knows the definitions."""
        try:
            return bool(self.ask(_LOADED)["repositoriesOrError"].get("nodes"))
        except (httpx.HTTPError, RuntimeError):
            return False

    def switch_on(self, sensor: str) -> None:
        """As the switch on the automation page does."""
        answer = self.ask(_SWITCH_ON, given=self._repository | {"sensorName": sensor})["startSensor"]
        if answer["__typename"] != "Sensor":
            raise RuntimeError(f"the sensor {sensor} was not switched on: {answer}")

    def launch(
        self, job: str, config: Mapping[str, Any] | None = None, batch: str = "", assets: Sequence[str] = ()
    ) -> str:
        """Start a run as the launchpad does; return its id. The batch becomes a partition if it is none."""
        if batch:
            self.ask(_ADD, given=self._repository, key=batch)
        selection = {"assetSelection": [{"path": [name]} for name in assets]} if assets else {}
        tags = [{"key": "dagster/partition", "value": batch}] if batch else []
        given = {
            "selector": self._repository | {"jobName": job} | selection,
            "runConfigData": dict(config or {}),
            "executionMetadata": {"tags": tags},
        }
        answer = self.ask(_LAUNCH, given=given)["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise RuntimeError(f"the run was not launched: {answer}")
        return str(answer["run"]["runId"])
