"""A training as Kubernetes objects: a Job, an Indexed Job with a Service for several pods, or Kubeflow's PyTorchJob.

Rendering needs no cluster. A pod sees four things of the home and nothing else: the job's folder, the MLflow store, the
examples and the base model, the last two read-only. The vault and the keys are not among them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from preceptor import __version__
from preceptor.errors import UsageError
from preceptor.settings import KubernetesSettings, TrainingSettings, Workspace
from preceptor.training.jobs import QUIET, TrainingJob
from preceptor.versions import write_atomic

JOB_LABEL = "preceptor/job"
HOME_ANNOTATION = "preceptor/home"
CONTAINER = "pytorch"  # the name that Kubeflow's operator looks for
MANIFESTS = "kubernetes.yaml"
_JOB_FILE = "job.pod.json"
_PORT = 29500
_SECONDS_TO_MEET = 1800  # a node may have to be started and the image pulled
_SQLITE = "sqlite:///"
_TERMINATION_LOG = "/dev/termination-log"  # Kubernetes' default
# Left of the grace that a pod has, for the launcher to end after its processes.
_SECONDS_TO_END = 15
# The worker's exit code after SIGTERM and a checkpoint (preceptor/training/worker.py).
STOPPED = 143


def manifests(job: TrainingJob, home: Path, settings: KubernetesSettings) -> list[dict[str, Any]]:
    """The objects to apply, in their order.

    Raises `UsageError` if the processes cannot be spread over the pods, or the base model or the data lie outside the home.
    """
    pods = _Pods(job, home, settings)
    metadata: dict[str, Any] = {
        "name": pods.name,
        "namespace": settings.namespace,
        "labels": pods.labels,
        "annotations": {HOME_ANNOTATION: str(PurePosixPath(settings.claim) / settings.sub_path)},
    }
    if settings.kind == "pytorchjob":
        return [_pytorch_job(pods, metadata)]
    if settings.nodes == 1:
        return [_job(pods, metadata)]
    return [_service(pods, metadata), _job(pods, metadata)]


def as_yaml(documents: list[dict[str, Any]]) -> str:
    """The objects as kubectl reads them."""
    return yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, width=120)


def launch(workspace: Workspace, job: TrainingJob, settings: TrainingSettings) -> list[str]:
    """Write what a pod reads and what the cluster is given into the job's folder; return the command that applies and follows.

    Raises `UsageError` as `manifests`, or if the settings say nothing of a cluster.
    """
    cluster = required(settings)
    text = as_yaml(manifests(job, workspace.home, cluster))
    folder = Path(job.folder)
    inside = _Volume(workspace.home, cluster).job(job)
    write_atomic(folder / _JOB_FILE, json.dumps(asdict(inside), indent=1))
    write_atomic(folder / MANIFESTS, text)
    options = ["--kubectl", cluster.kubectl, "--every", str(cluster.poll_seconds)]
    if cluster.context:
        options += ["--context", cluster.context]
    return [sys.executable, "-m", "preceptor.training.following", *options, str(folder / MANIFESTS)]


def required(settings: TrainingSettings) -> KubernetesSettings:
    """The settings of the cluster. Raises `UsageError` if there are none."""
    if settings.kubernetes is None:
        raise UsageError(
            "The launcher k8s has no training.kubernetes in the configuration (rule kubernetes-not-configured). Give at least "
            "its image, and the claim that the home lies on; docs/training.md#on-kubernetes has an example."
        )
    return settings.kubernetes


class _Plain(yaml.SafeDumper):
    """Writes what two objects share twice: people read it, too. Quotes what kubectl might take for a number or a truth
    value where PyYAML does not, such as the digest 12345678e901."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        plain = len(data) > 1 and not data[0].isdigit() and not data.startswith((".", "+"))
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else "'")


_Plain.add_representer(str, _Plain.represent_str)


@dataclass(frozen=True, slots=True)
class _Volume:
    """The home as a pod sees it."""

    home: Path
    settings: KubernetesSettings

    def path(self, here: str) -> str:
        """The same place in a pod."""
        return str(PurePosixPath(self.settings.mount_path or str(self.home)) / self._relative(here))

    def mount(self, here: str, read_only: bool = False) -> dict[str, Any]:
        found = {
            "name": "home",
            "mountPath": self.path(here),
            "subPath": str(PurePosixPath(self.settings.sub_path) / self._relative(here)),
        }
        return found | {"readOnly": True} if read_only else found

    def job(self, job: TrainingJob) -> TrainingJob:
        """The job with the paths of a pod."""
        tracking = job.tracking_uri
        if tracking.startswith(_SQLITE):
            tracking = _SQLITE + self.path(tracking.removeprefix(_SQLITE))
        return replace(
            job,
            folder=self.path(job.folder),
            base_path=self.path(job.base_path),
            examples={name: self.path(folder) for name, folder in job.examples.items()},
            tracking_uri=tracking,
        )

    def _relative(self, here: str) -> PurePosixPath:
        path = Path(here).resolve()
        if not path.is_relative_to(self.home) or path == self.home:
            raise UsageError(
                f"{path} is not in the home {self.home} (rule outside-the-volume): a pod sees nothing but folders of the home. "
                "Copy it to one, and name that; a base model as path:FOLDER."
            )
        return PurePosixPath(path.relative_to(self.home))


@dataclass(frozen=True, slots=True)
class _Pods:
    """What the pods of one training have in common."""

    of: TrainingJob
    home: Path
    settings: KubernetesSettings

    @property
    def name(self) -> str:
        return f"preceptor-train-{self.of.digest}"

    @property
    def labels(self) -> dict[str, str]:
        return {
            "app.kubernetes.io/name": "preceptor",
            "app.kubernetes.io/component": "training",
            "app.kubernetes.io/version": __version__,
            JOB_LABEL: self.of.digest,
        }

    @property
    def processes(self) -> int:
        """Of each pod."""
        each, left = divmod(self.of.processes, self.settings.nodes)
        if left or not each:
            raise UsageError(
                f"{self.of.processes} processes cannot be spread evenly over {self.settings.nodes} pods (rule uneven-pods). "
                "Let --gpus, or training.processes, be a multiple of training.kubernetes.nodes; 0 is nodes times gpus."
            )
        return each

    def template(self, command: list[str], subdomain: str | None = None) -> dict[str, Any]:
        """The pod. What it may do is what the Pod Security Standard `restricted` allows, and less."""
        given = self.settings
        spec: dict[str, Any] = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": given.grace_seconds,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            # No fsGroup: it would open every file of the volume to a group, the home's keys among them.
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": given.user,
                "runAsGroup": given.group,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "serviceAccountName": given.service_account,
            "imagePullSecrets": [{"name": name} for name in given.image_pull_secrets],
            "nodeSelector": given.node_selector,
            "tolerations": [each.model_dump(exclude_none=True) for each in given.tolerations],
            "subdomain": subdomain,
            "containers": [self._container(command)],
            "volumes": [
                {"name": "home", "persistentVolumeClaim": {"claimName": given.claim}},
                {"name": "tmp", "emptyDir": {"sizeLimit": given.scratch}},
                {
                    "name": "shared-memory",
                    "emptyDir": {"medium": "Memory", "sizeLimit": given.shared_memory},
                },
            ],
        }
        said = {key: value for key, value in spec.items() if value not in (None, [], {})}
        return {"metadata": {"labels": self.labels}, "spec": said}

    def train(self, *launcher: str) -> list[str]:
        """The command of a pod; `launcher`: how its processes find those of the other pods."""
        file = PurePosixPath(_Volume(self.home, self.settings).path(self.of.folder)) / _JOB_FILE
        worker = ["-m", "preceptor.training.worker", str(file)]
        if self.of.processes == 1:
            return ["python", *worker]
        each = f"--nproc-per-node={self.processes}"
        return ["python", "-m", "preceptor.training.torchrun", *launcher, each, *worker]

    def _container(self, command: list[str]) -> dict[str, Any]:
        given = self.settings
        amounts = {"cpu": given.cpu, "memory": given.memory}
        if given.gpus:
            amounts[given.gpu_resource] = str(self.processes)
        return {
            "name": CONTAINER,
            "image": given.image,
            "command": command,
            "env": self._variables(),
            "resources": {"requests": amounts, "limits": dict(amounts)},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": self._mounts(),
        }

    def _mounts(self) -> list[dict[str, Any]]:
        volume = _Volume(self.home, self.settings)
        found = [volume.mount(self.of.folder)]
        if self.of.tracking_uri.startswith(_SQLITE):
            # Its folder: SQLite writes a journal beside the file.
            found.append(volume.mount(str(Path(self.of.tracking_uri.removeprefix(_SQLITE)).parent)))
        found += [
            volume.mount(path, read_only=True) for path in (*self.of.examples.values(), self.of.base_path)
        ]
        return [
            *found,
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
        ]

    def _variables(self) -> list[dict[str, Any]]:
        given = self.settings
        # HOME and a name of the user: libraries ask for both, and a pod's user may have neither.
        plain = QUIET | {
            "HOME": "/tmp",
            "USER": "preceptor",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if self.of.processes > 1:
            plain["OMP_NUM_THREADS"] = str(max(1, _cores(given.cpu) // self.processes))
            plain["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] = str(given.grace_seconds - _SECONDS_TO_END)
            plain["PRECEPTOR_TERMINATION_LOG"] = _TERMINATION_LOG
            if not given.gpus:
                plain["DS_ACCELERATOR"] = "cpu"
        kept = {
            name: {"secretKeyRef": {"name": each.secret, "key": each.key}}
            for name, each in given.secret_env.items()
        }
        return [
            *({"name": name, "value": value} for name, value in (plain | given.env).items()),
            *({"name": name, "valueFrom": value} for name, value in kept.items()),
        ]


def _job(pods: _Pods, metadata: dict[str, Any]) -> dict[str, Any]:
    """A batch/v1 Job. A pod that had to go comes back: being pushed off a node, or the worker's 143, is no failure."""
    nodes, given = pods.settings.nodes, pods.settings
    several = {"completionMode": "Indexed"} if nodes > 1 else {}
    command = pods.train(
        *_meeting("$(JOB_COMPLETION_INDEX)", f"{pods.name}-0.{pods.name}", str(_PORT), nodes)
    )
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "completions": nodes,
            "parallelism": nodes,
            **several,
            # When one pod fails the others do, too, and each is counted.
            "backoffLimit": given.backoff_limit * nodes,
            "ttlSecondsAfterFinished": given.ttl_seconds,
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {
                        "action": "Ignore",
                        "onExitCodes": {
                            "containerName": CONTAINER,
                            "operator": "In",
                            "values": [STOPPED],
                        },
                    },
                ]
            },
            "template": pods.template(command, subdomain=pods.name if nodes > 1 else None),
        },
    }


def _service(pods: _Pods, metadata: dict[str, Any]) -> dict[str, Any]:
    """Gives each pod a name. Also before it is ready: they have to find one another to become so."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {JOB_LABEL: pods.of.digest},
            "ports": [{"name": "rendezvous", "port": _PORT}],
        },
    }


def _pytorch_job(pods: _Pods, metadata: dict[str, Any]) -> dict[str, Any]:
    """Kubeflow's PyTorchJob, whose operator says in every pod where the first one is. Exit codes from 128 begin a pod anew."""
    nodes, given = pods.settings.nodes, pods.settings
    template = pods.template(pods.train(*_meeting("$(RANK)", "$(MASTER_ADDR)", "$(MASTER_PORT)", nodes)))
    # The operator sets it, by the one below.
    del template["spec"]["restartPolicy"]
    counts = {"Master": 1, "Worker": nodes - 1}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": metadata,
        "spec": {
            "runPolicy": {
                "cleanPodPolicy": "Running",
                "backoffLimit": given.backoff_limit * nodes,
                "ttlSecondsAfterFinished": given.ttl_seconds,
            },
            "pytorchReplicaSpecs": {
                role: {"replicas": count, "restartPolicy": "ExitCode", "template": template}
                for role, count in counts.items()
                if count
            },
        },
    }


def _meeting(rank: str, address: str, port: str, nodes: int) -> list[str]:
    """torchrun's options: alone, or which of the pods this is and where the first one listens."""
    if nodes == 1:
        return ["--standalone"]
    return [
        f"--nnodes={nodes}",
        f"--node-rank={rank}",
        f"--master-addr={address}",
        f"--master-port={port}",
        f"--rdzv-conf=timeout={_SECONDS_TO_MEET}",
    ]


def _cores(cpu: str) -> int:
    return int(cpu[:-1]) // 1000 if cpu.endswith("m") else int(float(cpu))
