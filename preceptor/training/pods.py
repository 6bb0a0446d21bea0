"""What a pod's status means, in words for people."""

from __future__ import annotations

from typing import Any

from preceptor.training.kubernetes import CONTAINER, STOPPED

_INDEX = "batch.kubernetes.io/job-completion-index"
_ROLE = "training.kubeflow.org/replica-type"


def name(pod: dict[str, Any]) -> str:
    """The name of the pod; that of an Indexed Job has the number of its node in it."""
    return pod["metadata"]["name"]


def is_first(pod: dict[str, Any]) -> bool:
    """Whether rank 0 is in it: in the only pod, that with index 0, or Kubeflow's master."""
    # Older clusters have the index as an annotation only.
    said = pod["metadata"].get("annotations", {}) | pod["metadata"].get("labels", {})
    return said.get(_INDEX, "0") == "0" and said.get(_ROLE, "master").lower() == "master"


def has_begun(pod: dict[str, Any]) -> bool:
    """Whether it has lines to read."""
    found = _container(pod)
    return "running" in found or "terminated" in found


def runs(pod: dict[str, Any]) -> bool:
    """Whether it has begun and not ended."""
    return "running" in _container(pod)


def state(pod: dict[str, Any]) -> str:
    """What it does or why it does not, as the end of a sentence that begins with the pod."""
    status, found = pod.get("status", {}), _container(pod)
    if ended := found.get("terminated"):
        why = [
            *([ended["reason"]] if ended.get("reason") not in (None, "Completed", "Error") else []),
            *([pushed] if (pushed := _pushed_off(pod)) else []),
            *([ended["message"]] if ended.get("message") else []),
        ]
        return f"ended with exit code {ended['exitCode']}" + (f" ({'; '.join(why)})" if why else "")
    if waiting := found.get("waiting"):
        return _said("waits", waiting)
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _said("waits for a node", condition)
    if status.get("phase") == "Failed":
        return _said("failed", status)
    return f"is {status.get('phase', 'Unknown').lower()}"


def first_failure(pods: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The pod that failed first: others fail because one did. Those that were asked to stop are none."""
    failed = [
        (ended.get("finishedAt") or "", number)
        for number, pod in enumerate(pods)
        if (ended := _container(pod).get("terminated"))
        and ended["exitCode"] not in (0, STOPPED)
        and not _pushed_off(pod)
    ]
    return pods[min(failed)[1]] if failed else None


def _pushed_off(pod: dict[str, Any]) -> str:
    """Why it had to leave its node, or nothing."""
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            return condition.get("reason") or "DisruptionTarget"
    return ""


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    for each in pod.get("status", {}).get("containerStatuses", []):
        if each["name"] == CONTAINER:
            return each.get("state", {})
    return {}


def _said(state: str, status: dict[str, Any]) -> str:
    reasons = [status[key].strip() for key in ("reason", "message") if status.get(key)]
    return f"{state}: {': '.join(reasons)}" if reasons else state
