"""The process that hands a training to a cluster and follows it: `python -m preceptor.training.following MANIFESTS`.

The training does not hang on it. Started again it finds the Job by its name and follows it on; a Job that failed it begins
anew, and the worker resumes from its last whole checkpoint.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import yaml

from preceptor.errors import PreceptorError
from preceptor.training import pods
from preceptor.training.kubectl import Kubectl, KubectlFailed
from preceptor.training.kubernetes import HOME_ANNOTATION, JOB_LABEL, as_yaml

_RESOURCES = {"Job": "jobs.batch", "PyTorchJob": "pytorchjobs.kubeflow.org", "Service": "services"}
_ENDS = {"Complete": True, "Succeeded": True, "Failed": False}
# In looks at the cluster, one every five seconds unless the settings say otherwise: ten minutes without an answer, two for a
# file to show on a network disk, half a one without a pod.
_LOOKS_WITHOUT_ANSWER = 120
_LOOKS_WITHOUT_POD = 6
_LOOKS_FOR_RESULT = 24
_TRIES_FOR_LINES = 10
_SECONDS_FOR_LAST_LINES = 5.0
_LEFT_RUNNING = 130


def main(arguments: list[str] | None = None) -> int:
    """Apply and follow; return 0 done, 1 failed, 2 nothing was started, 130 interrupted, with the training left running."""
    given = _options().parse_args(arguments)
    text = given.manifests.read_text(encoding="utf-8")
    documents = list(yaml.safe_load_all(text))
    cluster = Kubectl(given.kubectl, given.context, documents[-1]["metadata"]["namespace"])
    training = Following(cluster, documents, given.manifests.with_name("result.json"), given.every)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        training.run()
    except KeyboardInterrupt:
        say(training.left())
        return _LEFT_RUNNING
    except PreceptorError as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def say(line: str) -> None:
    """Tell people, on standard error."""
    print(f"kubernetes: {line}", file=sys.stderr, flush=True)


class Following:
    """One training in a cluster. `run` begins it if it is not there, and returns when `result` is.

    `documents` are the objects to apply, the Job the last of them; `every` are seconds between two looks.
    """

    def __init__(self, cluster: Kubectl, documents: list[dict[str, Any]], result: Path, every: float) -> None:
        self._cluster, self._documents, self._result, self._every = cluster, documents, result, every
        self._metadata = documents[-1]["metadata"]
        self._name = self._metadata["name"]
        self._resource = _RESOURCES[documents[-1]["kind"]]
        self._resources = ",".join(_RESOURCES[document["kind"]] for document in documents)
        self._selector = f"{JOB_LABEL}={self._metadata['labels'][JOB_LABEL]}"
        self._told: dict[str, str] = {}
        self._lines: dict[str, _Lines] = {}
        self._there = False

    def run(self) -> None:
        """Raises `PreceptorError` if the training failed, is gone, or left nothing here."""
        if self._result.exists():
            say(f"{self._name} has its result already.")
            return
        self._begin()
        seconds = _SECONDS_FOR_LAST_LINES
        try:
            self._watch()
        except KeyboardInterrupt:
            seconds = 0.0
            raise
        finally:
            for lines in self._lines.values():
                lines.close(seconds)

    def left(self) -> str:
        """What to do with a training that is left running."""
        if not self._there:
            return "interrupted before anything was started."
        look = self._cluster.said("get", "pods", f"--selector={self._selector}")
        end = self._cluster.said("delete", self._resources, f"--selector={self._selector}")
        return (
            f"{self._name} goes on in the cluster. The same command follows it again; '{look}' shows its pods; '{end}' ends it, "
            "and keeps its checkpoints."
        )

    def _begin(self) -> None:
        found = self._found()
        self._there = found is not None
        if found is not None:
            self._require_ours(found)
            if (ended := _end(found)) and not ended[0]:
                say(
                    f"{self._name} failed before and begins anew, from its last whole checkpoint if it has one."
                )
                self._cluster.delete(self._resources, self._selector)
                found = None
        if found is not None:
            say(f"{self._name} is in the cluster already, as it was started; following it.")
            return
        self._there = True  # perhaps, if it is interrupted in between
        self._cluster.apply(as_yaml(self._documents))
        self._tie_services()
        say(f"{self._name} is handed to the cluster, namespace {self._cluster.namespace}.")

    def _found(self) -> dict[str, Any] | None:
        """The Job in the cluster; one that is being deleted is waited for."""
        while (found := self._get()) and found["metadata"].get("deletionTimestamp"):
            self._tell(self._name, "is being deleted; waiting for that")
            time.sleep(self._every)
        return found

    def _get(self) -> dict[str, Any] | None:
        return self._cluster.get(self._resource, self._name)

    def _require_ours(self, found: dict[str, Any]) -> None:
        """The name is that of what is trained, whoever trains it."""
        ours = self._metadata["annotations"][HOME_ANNOTATION]
        theirs = found["metadata"].get("annotations", {}).get(HOME_ANNOTATION)
        if theirs != ours:
            raise PreceptorError(
                f"{self._name} in namespace {self._cluster.namespace} works in the home on {theirs}, this one is on {ours} (rule "
                "job-of-another-home). Wait for it, or choose another training.kubernetes.namespace."
            )

    def _tie_services(self) -> None:
        """A Service goes when its Job does."""
        services = self._documents[:-1]
        job = self._get() if services else None
        if job is None:
            return
        owner = {key: self._documents[-1][key] for key in ("apiVersion", "kind")}
        owner |= {"name": self._name, "uid": job["metadata"]["uid"]}
        for service in services:
            change = {"metadata": {"ownerReferences": [owner]}}
            self._cluster.patch(_RESOURCES[service["kind"]], service["metadata"]["name"], change)

    def _watch(self) -> None:
        unanswered = bare = 0
        while True:
            try:
                job, present = self._get(), self._cluster.pods(self._selector)
            except KubectlFailed as error:
                unanswered += 1
                if unanswered >= _LOOKS_WITHOUT_ANSWER:
                    raise PreceptorError(
                        f"The cluster has not answered for long (rule cluster-unreachable), and {self._name} may go on without "
                        f"us. The same command follows it again. Last: {error}"
                    ) from None
                self._tell("cluster", "does not answer; asking on")
                time.sleep(self._every)
                continue
            unanswered = 0
            self._told.pop("cluster", None)
            bare = 0 if present else bare + 1
            if bare == _LOOKS_WITHOUT_POD:
                look = self._cluster.said("describe", self._resource, self._name)
                self._tell(
                    self._name, f"has no pod yet, as a quota or a policy may refuse it; '{look}' says why"
                )
            for pod in present:
                self._tell(f"pod {pods.name(pod)}", pods.state(pod))
            self._follow_lines(present)
            if job is None:
                if self._result.exists():
                    return
                self._gone()
            if ended := _end(job):
                return self._require_result() if ended[0] else self._failed(ended[1], present)
            time.sleep(self._every)

    def _follow_lines(self, present: list[dict[str, Any]]) -> None:
        """Those of the first rank are all there are of a training that goes well."""
        for pod in present:
            name = pods.name(pod)
            if name in self._lines:
                self._lines[name].keep(pods.runs(pod))
            elif pods.is_first(pod) and pods.has_begun(pod):
                self._lines[name] = _Lines(self._cluster, name)

    def _require_result(self) -> None:
        for _ in range(_LOOKS_FOR_RESULT):
            if self._result.exists():
                return
            time.sleep(self._every)
        raise PreceptorError(
            f"{self._name} is complete in the cluster, and {self._result} is not here (rule volume-not-shared). The home has to "
            "lie on the claim of training.kubernetes, in its folder sub_path. If it does not, correct that, then "
            f"'{self._cluster.said('delete', self._resources, f'--selector={self._selector}')}' and the same command again."
        )

    def _gone(self) -> NoReturn:
        self._there = False
        raise PreceptorError(
            f"{self._name} was deleted from the cluster before its end (rule job-gone). The same command begins it anew, from its "
            "last whole checkpoint."
        )

    def _failed(self, why: str, present: list[dict[str, Any]]) -> NoReturn:
        culprit = pods.first_failure(present)
        said = why
        if culprit is not None:
            name = pods.name(culprit)
            said = f"pod {name} {pods.state(culprit)}; {why}"
            if name not in self._lines:
                with suppress(KubectlFailed):
                    print(self._cluster.last_lines(name, 20), file=sys.stderr, flush=True)
        raise PreceptorError(
            f"{self._name} failed in the cluster (rule job-failed): {said}. The lines of its pods say why; the same command begins "
            "it anew, from its last whole checkpoint."
        )

    def _tell(self, of: str, state: str) -> None:
        if self._told.get(of) != state:
            self._told[of] = state
            say(f"{of} {state}")


class _Lines:
    """What a pod writes, on standard error; taken up again when the connection breaks."""

    def __init__(self, cluster: Kubectl, pod: str) -> None:
        self._cluster, self._pod = cluster, pod
        self._process = cluster.log(pod, since=None)
        self._heard = time.monotonic()
        self._tries = _TRIES_FOR_LINES

    def keep(self, pod_runs: bool) -> None:
        """Look whether they still come, and ask for them again if they should."""
        now, code = time.monotonic(), self._process.poll()
        if code is None:
            self._heard = now
        elif pod_runs and self._tries:
            self._tries -= 1 if code else 0
            self._process = self._cluster.log(self._pod, since=now - self._heard + 1)

    def close(self, seconds: float) -> None:
        """Wait so long for the last ones."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=seconds)
        self._process.terminate()
        self._process.wait()


def _end(job: dict[str, Any] | None) -> tuple[bool, str] | None:
    """Whether it ended well, and the cluster's words; None while it runs."""
    for condition in (job or {}).get("status", {}).get("conditions", []):
        if condition["status"] == "True" and condition["type"] in _ENDS:
            said = [condition[key] for key in ("reason", "message") if condition.get(key)]
            return _ENDS[condition["type"]], ": ".join(said).rstrip(".")
    return None


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="preceptor.training.following", description=__doc__)
    parser.add_argument("manifests", type=Path)
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--context", default="")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two looks")
    return parser


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
