"""Training in a cluster, without a cluster: what is rendered is checked against the schemas of Kubernetes' API, what is
followed is a stand-in. The `kubectl` of these tests is a small program that plays a cluster from a list of what it would show
at each look; that the real one behaves so is not tested here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from preceptor.cli import main
from preceptor.errors import PreceptorError, UsageError
from preceptor.quality.gate import SUITES, Verdict
from preceptor.settings import ROOT, KubernetesSettings, Settings, TrainingSettings, Workspace, load_settings
from preceptor.training import following, pods
from preceptor.training.following import Following
from preceptor.training.jobs import TrainingJob, load_job
from preceptor.training.kubectl import Kubectl
from preceptor.training.kubernetes import CONTAINER, MANIFESTS, as_yaml, launch, manifests
from preceptor.training.stage import prepare
from preceptor.versions import file_sha256, make_version, write_atomic

DIGEST = "0123456789ab"
NAME = f"preceptor-train-{DIGEST}"
# The oldest one that Preceptor is for, and the newest there is a schema of.
VERSIONS = ("1.31", "1.37")


def settings(**changes):
    return KubernetesSettings(
        **({"image": "registry.example.org/preceptor@sha256:abc", "claim": "homes"} | changes)
    )


def planned(home, processes=1, **changes):
    found = TrainingJob(
        digest=DIGEST,
        folder=str(home / "training" / DIGEST),
        base_name="tiny",
        base_path=str(home / "models" / "base" / "pypi-tiny==1"),
        base_digest="b" * 64,
        examples={"v1": str(home / "data" / "curated" / "v1"), "v2": str(home / "data" / "synthetic" / "v2")},
        recipe={"seed": 20},
        processes=processes,
        tracking_uri=f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
        experiment_id="1",
    )
    return replace(found, **changes)


def rendered(home, processes=1, **changes):
    """The objects as kubectl would read them."""
    return list(yaml.safe_load_all(as_yaml(manifests(planned(home, processes), home, settings(**changes)))))


def pod_of(document):
    spec = document["spec"]
    return (spec.get("template") or spec["pytorchReplicaSpecs"]["Master"]["template"])["spec"]


def require_valid(document):
    """As strictly as the schemas say it: an unknown field is an error."""
    from kubernetes_validate import validate

    if document["kind"] == "PyTorchJob":
        # Not of Kubernetes' own API: its pods are.
        for replicas in document["spec"]["pytorchReplicaSpecs"].values():
            spec = replicas["template"]["spec"] | {"restartPolicy": "Never"}
            template = replicas["template"] | {"spec": spec}
            require_valid(
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "metadata": document["metadata"],
                    "spec": {"template": template},
                }
            )
        return
    for version in VERSIONS:
        validate(document, version, strict=True)


FULL = {
    "service_account": "trainer",
    "image_pull_secrets": ["registry"],
    "node_selector": {"accelerator": "h200"},
    "tolerations": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
    "env": {"NCCL_SOCKET_IFNAME": "eth0"},
    "secret_env": {"MLFLOW_TRACKING_PASSWORD": {"secret": "mlflow", "key": "password"}},
    "sub_path": "hospital-a",
    "mount_path": "/data/home",
}


@pytest.mark.parametrize("kind", ["job", "pytorchjob"])
@pytest.mark.parametrize(
    ("nodes", "gpus", "more"),
    [(1, 1, {}), (1, 8, FULL), (4, 8, FULL), (2, 0, {})],
    ids=["one", "several", "nodes", "cpu"],
)
def test_what_is_rendered_fits_the_schema_of_the_api(tmp_path, kind, nodes, gpus, more):
    documents = rendered(tmp_path, nodes * max(1, gpus), kind=kind, nodes=nodes, gpus=gpus, **more)
    assert documents[-1]["kind"].lower() == kind
    for document in documents:
        require_valid(document)
    amounts = pod_of(documents[-1])["containers"][0]["resources"]
    assert amounts["limits"] == amounts["requests"]
    assert amounts["limits"].get("nvidia.com/gpu") == (str(gpus) if gpus else None)


def test_the_schema_would_find_a_mistake(tmp_path):
    (document,) = rendered(tmp_path)
    document["spec"]["template"]["spec"]["containers"][0]["securityContext"]["runAsNonroot"] = True
    with pytest.raises(Exception, match="runAsNonroot"):
        require_valid(document)


@pytest.mark.parametrize("kind", ["job", "pytorchjob"])
def test_a_pod_may_do_as_little_as_can_be(tmp_path, kind):
    pod = pod_of(rendered(tmp_path, 4, kind=kind, nodes=2, gpus=2)[-1])
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "fsGroup" not in pod["securityContext"]
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    kinds = {next(key for key in volume if key != "name") for volume in pod["volumes"]}
    assert kinds == {"persistentVolumeClaim", "emptyDir"}
    places = {each["name"]: each["mountPath"] for each in container["volumeMounts"] if each["name"] != "home"}
    assert places == {"tmp": "/tmp", "shared-memory": "/dev/shm"}
    (memory,) = (v for v in pod["volumes"] if v["name"] == "shared-memory")
    assert memory["emptyDir"]["medium"] == "Memory"


def test_a_pod_sees_of_the_home_what_it_trains_on_and_neither_vault_nor_keys(tmp_path):
    (document,) = rendered(tmp_path, sub_path="a", mount_path="/data")
    mounts = [m for m in pod_of(document)["containers"][0]["volumeMounts"] if m["name"] == "home"]
    assert {(m["subPath"], m.get("readOnly", False)) for m in mounts} == {
        (f"a/training/{DIGEST}", False),
        ("a/mlflow", False),
        ("a/data/curated/v1", True),
        ("a/data/synthetic/v2", True),
        ("a/models/base/pypi-tiny==1", True),
    }
    assert all(m["mountPath"] == "/data" + m["subPath"].removeprefix("a") for m in mounts)


def test_names_are_those_of_the_job_and_such_as_dns_takes(tmp_path):
    service, job = rendered(tmp_path, 4, nodes=4)
    assert service["metadata"]["name"] == job["metadata"]["name"] == NAME
    # The longest name that Kubernetes makes of it is that of a pod: with an index and five characters.
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", NAME) and len(NAME) + len("-9999-abcde") <= 63
    assert service["spec"]["selector"].items() <= job["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("text", ["12345678e901", "018234567890", "1.5", ".5", "y", "no", "~"])
def test_text_that_another_reader_of_yaml_takes_for_a_number_is_quoted(text):
    assert as_yaml([{"label": text, "again": [text]}]) == f"label: '{text}'\nagain:\n- '{text}'\n"


def test_several_nodes_meet_at_the_first_of_an_indexed_job(tmp_path):
    service, job = rendered(tmp_path, 16, nodes=2, gpus=8)
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"]
    assert (job["spec"]["completionMode"], job["spec"]["completions"], job["spec"]["parallelism"]) == (
        "Indexed",
        2,
        2,
    )
    pod = pod_of(job)
    assert pod["subdomain"] == service["metadata"]["name"]
    command = pod["containers"][0]["command"]
    assert command[:3] == ["python", "-m", "preceptor.training.torchrun"]
    assert "--node-rank=$(JOB_COMPLETION_INDEX)" in command
    assert f"--master-addr={NAME}-0.{NAME}" in command
    assert {"--nnodes=2", "--nproc-per-node=8"} <= set(command)
    assert job["spec"]["backoffLimit"] == 2 * settings().backoff_limit


def test_one_process_is_the_worker_alone_and_several_on_a_node_need_no_service(tmp_path):
    (alone,) = rendered(tmp_path)
    file = f"{tmp_path}/training/{DIGEST}/job.pod.json"
    assert pod_of(alone)["containers"][0]["command"] == ["python", "-m", "preceptor.training.worker", file]
    (several,) = rendered(tmp_path, 8, gpus=8)
    assert "--standalone" in pod_of(several)["containers"][0]["command"]
    assert "completionMode" not in several["spec"]


def test_a_pod_that_has_to_go_has_time_for_a_checkpoint_and_is_no_failure(tmp_path):
    job = rendered(tmp_path, 8, gpus=8, grace_seconds=300)[-1]
    pod = pod_of(job)
    assert (pod["terminationGracePeriodSeconds"], pod["restartPolicy"]) == (300, "Never")
    variables = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert 200 < int(variables["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"]) < 300
    disruption, stopped = job["spec"]["podFailurePolicy"]["rules"]
    assert disruption["action"] == stopped["action"] == "Ignore"
    assert disruption["onPodConditions"][0]["type"] == "DisruptionTarget"
    assert stopped["onExitCodes"] == {"containerName": CONTAINER, "operator": "In", "values": [143]}


def test_secrets_are_named_and_never_written(tmp_path):
    variables = pod_of(rendered(tmp_path, **FULL)[-1])["containers"][0]["env"]
    (secret,) = (each for each in variables if each["name"] == "MLFLOW_TRACKING_PASSWORD")
    assert secret == {
        "name": "MLFLOW_TRACKING_PASSWORD",
        "valueFrom": {"secretKeyRef": {"name": "mlflow", "key": "password"}},
    }
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "api_key"):
        with pytest.raises(ValueError, match="secret_env"):
            settings(env={name: "hunter2"})
    assert settings(env={"TOKENIZERS_PARALLELISM": "true", "NCCL_IB_HCA": "mlx5"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"claim": "Homes"},
        {"memory": "lots"},
        {"mount_path": "data"},
        {"mount_path": "/tmp/home"},
        {"mount_path": "/"},
        {"sub_path": "../other"},
        {"sub_path": "/other"},
        {"user": 0},
        {"image": "a b"},
    ],
)
def test_settings_that_no_cluster_would_take_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        settings(**wrong)


def test_a_mistake_in_the_configuration_is_named_with_its_line(tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("training:\n  launcher: k8s\n  kubernetes:\n    claim: homes\n")
    with pytest.raises(UsageError, match=r"mine.yaml, line 3: training.kubernetes.image"):
        load_settings("demo", config)


def test_the_job_that_a_pod_reads_has_the_paths_of_the_pod(tmp_path):
    job, cluster = planned(tmp_path), settings(mount_path="/data/home")
    command = launch(Workspace(tmp_path), job, TrainingSettings(launcher="k8s", kubernetes=cluster))
    text = Path(command[-1]).read_text()
    assert Path(command[-1]) == Path(job.folder) / MANIFESTS
    assert str(tmp_path) not in text
    inside = load_job(Path(job.folder) / "job.pod.json")
    assert inside == replace(
        job,
        folder=f"/data/home/training/{DIGEST}",
        base_path="/data/home/models/base/pypi-tiny==1",
        examples={"v1": "/data/home/data/curated/v1", "v2": "/data/home/data/synthetic/v2"},
        tracking_uri="sqlite:////data/home/mlflow/mlflow.db",
    )
    (document,) = yaml.safe_load_all(text)
    assert pod_of(document)["containers"][0]["command"][-1] == f"{inside.folder}/job.pod.json"


def test_a_base_model_or_data_outside_the_home_are_refused(tmp_path):
    home = tmp_path / "home"
    elsewhere = tmp_path / "elsewhere"
    (home / "models").mkdir(parents=True)
    elsewhere.mkdir()
    (home / "models" / "link").symlink_to(elsewhere)
    for path in (elsewhere, home / "models" / "link", home):
        with pytest.raises(UsageError, match="outside-the-volume"):
            manifests(planned(home, base_path=str(path)), home, settings())


def test_processes_that_cannot_be_spread_are_refused(tmp_path):
    for processes in (1, 3):
        with pytest.raises(UsageError, match="uneven-pods"):
            rendered(tmp_path, processes, nodes=2)


def test_the_stage_plans_for_the_cluster_and_not_for_this_machine(tmp_path):
    workspace = Workspace(tmp_path)
    for stage, suite in {"curated": "curated_examples", "synthetic": "synthetic_examples"}.items():
        version = make_version(workspace.data, stage, inputs={}, config=1, code="1", write=lambda folder: {})
        verdict = Verdict(suite, file_sha256(SUITES / f"{suite}.json"), version.name, True, 1, [])
        write_atomic(
            workspace.data / "verdicts" / f"{suite}-{version.name}.json", json.dumps(asdict(verdict))
        )
    training = TrainingSettings(launcher="k8s", kubernetes=settings(nodes=2, gpus=4))
    shutil.copytree(ROOT / "examples" / "tiny-model", workspace.models / "mine")
    given = Settings(base_model=f"path:{workspace.models / 'mine'}", training=training)
    prepared = prepare(workspace, given, f"sqlite:///{workspace.mlflow / 'mlflow.db'}", lambda: "1")
    assert prepared.job.processes == 8
    assert prepared.command[1:3] == ["-m", "preceptor.training.following"]
    for document in yaml.safe_load_all((Path(prepared.job.folder) / MANIFESTS).read_text()):
        require_valid(document)
    bare = given.model_copy(update={"training": TrainingSettings(launcher="k8s")})
    with pytest.raises(UsageError, match="kubernetes-not-configured"):
        prepare(workspace, bare, "", lambda: "1")
    outside = given.model_copy(update={"base_model": "tiny"})
    with pytest.raises(UsageError, match="outside-the-volume"):
        prepare(workspace, outside, "", lambda: "1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--render"], "nothing-to-render"), (["--launcher", "k8s"], "kubernetes-not-configured")],
)
def test_the_command_refuses_what_makes_no_sense(tmp_path, capfd, arguments, said):
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path), "train", *arguments])
    assert ended.value.code == 2
    assert said in capfd.readouterr().err


def test_torchrun_ends_with_the_code_of_the_process_that_failed_first(tmp_path):
    """Real torchrun with two processes of a shell, of which the second ends as the worker does after SIGTERM."""
    log = tmp_path / "termination-log"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "preceptor.training.torchrun", "--standalone", "--nproc-per-node=2"),
            *("--no-python", "sh", "-c", "[ $RANK = 0 ] && sleep 60; exit 143"),
        ],
        env=os.environ | {"PRECEPTOR_TERMINATION_LOG": str(log), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 143, done.stderr
    assert log.read_text() == "rank 1 of this training ended first, with exit code 143"


# Plays a cluster: `shows` is what it has at each look at the Job, one after the other and the last for ever.
KUBECTL = """#!{python} -SE
import json, sys
here = {here!r}
state = json.load(open(here + "/state.json"))
arguments = [a for a in sys.argv[1:] if not a.startswith(("--namespace", "--request-timeout"))]
verb, kind = arguments[0], arguments[1]
print(*arguments, file=open(here + "/calls", "a"))
if verb == "logs":
    sys.exit(print("train: a line of " + kind))
if verb == "get" and kind != "pods" and state["there"]:
    state["look"] += 1
look = state["shows"][max(0, min(state["look"], len(state["shows"]) - 1))]
if verb == "apply":
    state["there"] = True
    open(here + "/applied.yaml", "w").write(sys.stdin.read())
elif verb == "delete":
    state["there"] = False
elif verb == "get" and kind == "pods":
    print(json.dumps({{"items": look["pods"]}}))
elif verb == "get" and state["there"] and not look.get("refuses"):
    if look.get("result"):
        open(look["result"], "w").write("{{}}")
    print(json.dumps(look["job"]) if look["job"] else "")
json.dump(state, open(here + "/state.json", "w"))
if look.get("refuses"):
    sys.exit("The connection to the server was refused")
"""


class Cluster:
    def __init__(self, folder, kind="job", nodes=1):
        self.folder = folder
        self.home = folder / "home"
        self.result = self.home / "result.json"
        self.home.mkdir()
        self.kubectl = folder / "kubectl"
        self.kubectl.write_text(KUBECTL.format(python=sys.executable, here=str(folder)))
        self.kubectl.chmod(0o755)
        self.documents = rendered(self.home, nodes, kind=kind, nodes=nodes)

    def job(self, ended=None, reason="", home="homes"):
        conditions = [{"type": ended, "status": "True", "reason": reason}] if ended else []
        metadata = {"name": NAME, "uid": "u1", "annotations": {"preceptor/home": home}}
        return {"metadata": metadata, "status": {"conditions": conditions}}

    def show(self, *looks, there=False):
        """`looks`: pairs of a Job and its pods, or what is to happen besides."""
        shows = [
            look if isinstance(look, dict) else dict(zip(("job", "pods"), look, strict=True))
            for look in looks
        ]
        state = {"there": there, "look": -1, "shows": shows}
        (self.folder / "state.json").write_text(json.dumps(state))

    @property
    def calls(self):
        return (self.folder / "calls").read_text().splitlines()

    def follow(self):
        Following(Kubectl(str(self.kubectl), "", "default"), self.documents, self.result, 0.01).run()

    def done(self):
        return {"job": self.job("Complete"), "pods": [pod(ended(0))], "result": str(self.result)}


def pod(state, name=f"{NAME}-0-abcde", index="0", **status):
    containers = [{"name": CONTAINER, "state": state}] if state else []
    return {
        "metadata": {"name": name, "labels": {"batch.kubernetes.io/job-completion-index": index}},
        "status": {"phase": "Running", "containerStatuses": containers, **status},
    }


def ended(code, at="2026-01-01T00:00:00Z", **more):
    return {"terminated": {"exitCode": code, "finishedAt": at, **more}}


RUNS = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def test_a_training_is_applied_and_followed_to_its_result(cluster, capfd):
    pending = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU"}
    job = cluster.job()
    cluster.show(
        (job, [pod(None, phase="Pending", conditions=[pending])]), (job, [pod(RUNS)]), cluster.done()
    )
    cluster.follow()
    assert list(yaml.safe_load_all((cluster.folder / "applied.yaml").read_text())) == cluster.documents
    said = capfd.readouterr().err
    assert "waits for a node: Unschedulable: no GPU" in said
    assert f"train: a line of {NAME}-0-abcde" in said
    cluster.follow()
    assert "has its result already" in capfd.readouterr().err


def test_the_same_command_finds_a_training_again(cluster, capfd):
    cluster.show((cluster.job(), [pod(RUNS)]), cluster.done(), there=True)
    cluster.follow()
    assert not any(call.startswith(("apply", "delete")) for call in cluster.calls)
    assert "in the cluster already" in capfd.readouterr().err


def test_one_that_failed_before_begins_anew(cluster, capfd):
    cluster.show((cluster.job("Failed"), []), (cluster.job(), [pod(RUNS)]), cluster.done(), there=True)
    cluster.follow()
    verbs = [call.split()[0] for call in cluster.calls]
    assert verbs.index("delete") < verbs.index("apply")
    assert f"--selector=preceptor/job={DIGEST}" in next(c for c in cluster.calls if c.startswith("delete"))


def test_a_pod_pushed_off_its_node_is_told_and_does_not_end_it(cluster, capfd):
    disrupted = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    old = pod(ended(143), phase="Failed", conditions=[disrupted])
    new = pod(RUNS, name=f"{NAME}-0-fghij")
    cluster.show((cluster.job(), [old]), (cluster.job(), [old, new]), cluster.done())
    cluster.follow()
    said = capfd.readouterr().err
    assert "ended with exit code 143 (PreemptionByScheduler)" in said
    assert f"train: a line of {NAME}-0-fghij" in said


def test_a_failure_names_the_pod_that_failed_first_its_code_and_rank(tmp_path, capfd):
    cluster = Cluster(tmp_path, nodes=3)
    first = ended(137, at="2026-01-01T00:00:01Z", reason="OOMKilled", message="rank 2 of this training ended")
    present = [
        pod(ended(1, at="2026-01-01T00:00:09Z"), name=f"{NAME}-0-aaaaa"),
        pod(ended(143, at="2026-01-01T00:00:00Z"), name=f"{NAME}-1-bbbbb", index="1"),
        pod(first, name=f"{NAME}-2-ccccc", index="2"),
    ]
    cluster.show((cluster.job("Failed", "BackoffLimitExceeded"), present))
    with pytest.raises(PreceptorError, match=f"{NAME}-2-ccccc ended with exit code 137") as failed:
        cluster.follow()
    assert "OOMKilled; rank 2" in str(failed.value) and "BackoffLimitExceeded" in str(failed.value)
    assert f"train: a line of {NAME}-2-ccccc" in capfd.readouterr().err


def test_the_service_of_several_nodes_goes_with_the_job(tmp_path):
    cluster = Cluster(tmp_path, nodes=2)
    cluster.show((cluster.job(), []), cluster.done())
    cluster.follow()
    (patch,) = (call for call in cluster.calls if call.startswith("patch"))
    assert patch.startswith(f"patch services {NAME}") and '"uid": "u1"' in patch


def test_kubeflows_job_is_followed_by_its_own_conditions(tmp_path):
    cluster = Cluster(tmp_path, kind="pytorchjob", nodes=2)
    worker = pod(RUNS, name=f"{NAME}-worker-0")
    worker["metadata"]["labels"] = {"training.kubeflow.org/replica-type": "worker"}
    assert not pods.is_first(worker)
    cluster.show((cluster.job("Running"), [worker]), cluster.done() | {"job": cluster.job("Succeeded")})
    cluster.follow()
    assert cluster.calls[0].startswith(f"get pytorchjobs.kubeflow.org {NAME}")


def test_a_job_that_is_gone_one_of_another_home_and_a_result_that_does_not_come(cluster, monkeypatch):
    monkeypatch.setattr(following, "_LOOKS_FOR_RESULT", 3)
    cluster.show((cluster.job(), [pod(RUNS)]), (cluster.job(), [pod(RUNS)]), (None, []))
    with pytest.raises(PreceptorError, match="job-gone"):
        cluster.follow()
    cluster.show((cluster.job(home="others/b"), []), there=True)
    with pytest.raises(PreceptorError, match="job-of-another-home"):
        cluster.follow()
    cluster.show((cluster.job("Complete"), []))
    with pytest.raises(PreceptorError, match="volume-not-shared"):
        cluster.follow()


def test_a_cluster_that_does_not_answer_is_asked_on_and_not_for_ever(cluster, monkeypatch, capfd):
    cluster.show(
        (cluster.job(), [pod(RUNS)]),
        {"refuses": True, "pods": []},
        {"refuses": True, "pods": []},
        cluster.done(),
    )
    cluster.follow()
    assert capfd.readouterr().err.count("does not answer") == 1
    cluster.result.unlink()
    monkeypatch.setattr(following, "_LOOKS_WITHOUT_ANSWER", 3)
    cluster.show((cluster.job(), []), {"refuses": True, "pods": []}, there=True)
    with pytest.raises(PreceptorError, match=r"cluster-unreachable.*refused"):
        cluster.follow()


def test_a_job_that_gets_no_pod_is_told(cluster, monkeypatch, capfd):
    monkeypatch.setattr(following, "_LOOKS_WITHOUT_POD", 2)
    cluster.show((cluster.job(), []), (cluster.job(), []), (cluster.job(), []), cluster.done())
    cluster.follow()
    assert capfd.readouterr().err.count("has no pod yet") == 1


def started(cluster, kubectl=None):
    file = cluster.home / MANIFESTS
    file.write_text(as_yaml(cluster.documents))
    program = ["--kubectl", str(kubectl or cluster.kubectl), "--every", "0.02", str(file)]
    return subprocess.Popen(
        [sys.executable, "-m", "preceptor.training.following", *program],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # In the background of a shell, where tests may run, SIGINT is ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_the_training_running_and_says_how_to_end_it(cluster, asked):
    cluster.show((cluster.job(), [pod(RUNS)]))
    process = started(cluster)
    deadline = time.monotonic() + 20
    while not (cluster.folder / "calls").exists() or not any(c.startswith("logs") for c in cluster.calls):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(asked)
    try:
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert f"{NAME} goes on in the cluster" in said
    assert f"delete jobs.batch --selector=preceptor/job={DIGEST}' ends it" in said
    assert not any(call.startswith("delete") for call in cluster.calls)


def test_without_kubectl_nothing_is_started(cluster):
    process = started(cluster, cluster.folder / "no-such-program")
    _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "no-kubectl" in said and "Traceback" not in said
