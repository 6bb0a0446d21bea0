"""What is asked of a cluster, through the kubectl that a person has set up already."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from preceptor.errors import PreceptorError, UsageError

# Of one request, so that a cluster that is gone does not hold us for ever.
_SECONDS = 30


class KubectlFailed(PreceptorError):
    """kubectl came back with an error; the message has its last line."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One namespace of one cluster. Every method raises `UsageError` if there is no kubectl, `KubectlFailed` if it fails."""

    program: str
    context: str
    namespace: str

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """The object as the cluster has it, or None."""
        said = self._run("get", kind, name, "--output=json", "--ignore-not-found")
        return json.loads(said) if said.strip() else None

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """The pods with these labels, the oldest first."""
        found = json.loads(self._run("get", "pods", f"--selector={selector}", "--output=json"))["items"]
        return sorted(found, key=lambda pod: pod["metadata"].get("creationTimestamp", ""))

    def apply(self, documents: str) -> None:
        """Make the objects of a YAML text."""
        self._run("apply", "--filename=-", given=documents)

    def patch(self, kind: str, name: str, change: dict[str, Any]) -> None:
        """Merge `change` into an object."""
        self._run("patch", kind, name, "--type=merge", f"--patch={json.dumps(change)}")

    def delete(self, kinds: str, selector: str) -> None:
        """Delete the objects with these labels, and wait until they and their pods are gone."""
        # However long the grace of a pod is: no limit of time.
        self._run(
            "delete", kinds, f"--selector={selector}", "--cascade=foreground", "--wait=true", seconds=None
        )

    def log(self, pod: str, since: float | None) -> subprocess.Popen[bytes]:
        """A process that writes a pod's lines to standard error until the pod ends: its last 200 and those to come, or those of
        the last `since` seconds and those to come."""
        span = "--tail=200" if since is None else f"--since={max(1, round(since))}s"
        return subprocess.Popen(
            [*self._command(), "logs", pod, "--follow", span],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
        )

    def last_lines(self, pod: str, count: int) -> str:
        """The last lines that a pod wrote."""
        return self._run("logs", pod, f"--tail={count}")

    def said(self, *arguments: str) -> str:
        """The command line as a person would type it."""
        return " ".join([*self._command(), *arguments])

    def _command(self) -> list[str]:
        context = [f"--context={self.context}"] if self.context else []
        return [self.program, *context, f"--namespace={self.namespace}"]

    def _run(self, *arguments: str, given: str | None = None, seconds: int | None = _SECONDS) -> str:
        limit = [f"--request-timeout={seconds}s"] if seconds else []
        try:
            done = subprocess.run(
                [*self._command(), *arguments, *limit],
                input=given,
                stdin=None if given is not None else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            raise UsageError(
                f"There is no program {self.program!r} to reach the cluster with (rule no-kubectl). Install kubectl, or name it "
                "in training.kubernetes.kubectl."
            ) from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1].rstrip(".")
            raise KubectlFailed(
                f"kubectl {arguments[0]} in namespace {self.namespace} failed (rule kubectl-failed): {last}. "
                f"'{self.said('get', 'pods')}' shows whether the cluster, the context and your rights are what they should be."
            )
        return done.stdout
