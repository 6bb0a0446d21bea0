"""docker/kubernetes without a cluster: its objects fit the schemas of Kubernetes' API, and are as closed as training's pods.

Dagster's Helm chart is not at hand: of its values only what we answer for is tested here.
"""

from __future__ import annotations

from importlib.metadata import version

import pytest
import yaml

from preceptor.settings import ROOT
from tests.training.test_kubernetes import require_valid

FOLDER = ROOT / "docker" / "kubernetes"


@pytest.fixture(scope="module")
def objects():
    return yaml.safe_load((FOLDER / "preceptor.yaml").read_text())["items"]


@pytest.fixture(scope="module")
def values():
    return yaml.safe_load((FOLDER / "dagster-values.yaml").read_text())


def pods(objects):
    return {
        o["metadata"]["name"]: o["spec"]["template"]["spec"] for o in objects if o["kind"] == "Deployment"
    }


def test_every_object_fits_the_schema_of_the_api(objects):
    assert len(objects) > 8
    for each in objects:
        require_valid(each)


def test_a_pod_may_do_as_little_as_can_be(objects):
    for name, pod in pods(objects).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert set(container["resources"]) == {"requests", "limits"}, name
            assert container["readinessProbe"] and container["livenessProbe"], name


def test_a_service_finds_its_pods_and_their_port(objects):
    deployments = {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == "Deployment"}
    services = [o for o in objects if o["kind"] == "Service"]
    assert {s["metadata"]["name"] for s in services} == set(deployments)
    for service in services:
        spec = deployments[service["metadata"]["name"]]
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
        assert service["spec"]["selector"] == spec["template"]["metadata"]["labels"]
        ports = {p["name"]: p["containerPort"] for p in spec["template"]["spec"]["containers"][0]["ports"]}
        (port,) = service["spec"]["ports"]
        assert ports[port["targetPort"]] == port["port"]


def test_what_is_mounted_is_a_volume(objects):
    for name, pod in pods(objects).items():
        volumes = {v["name"] for v in pod["volumes"]}
        mounted = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
        assert mounted == volumes, name


def test_the_settings_in_the_manifest_are_settings(objects, tmp_path):
    from preceptor.settings import load_settings

    (config,) = (o for o in objects if o["kind"] == "ConfigMap")
    file = tmp_path / "config.yaml"
    file.write_text(config["data"]["config.yaml"])
    settings = load_settings("demo", file)
    assert settings.corpus is None
    assert settings.demo_approver is False
    assert "review.hospital.example" in settings.review.names


def test_the_chart_is_of_dagsters_version_and_keeps_nothing_that_a_step_prints(values):
    assert f"--version {version('dagster')} " in (FOLDER / "dagster-values.yaml").read_text()
    assert values["computeLogManager"]["type"] == "NoOpComputeLogManager"
    assert values["telemetry"]["enabled"] is False
    assert values["postgresql"]["enabled"] is False


def test_the_chart_and_the_manifest_speak_of_the_same_things(values, objects):
    (code,) = values["dagster-user-deployments"]["deployments"]
    names = {(o["kind"], o["metadata"]["name"]) for o in objects}
    for volume in code["volumes"]:
        claim, config = volume.get("persistentVolumeClaim"), volume.get("configMap")
        assert not claim or ("PersistentVolumeClaim", claim["claimName"]) in names
        assert not config or ("ConfigMap", config["name"]) in names
    environment = {e["name"]: e["value"] for e in code["env"]}
    (review,) = pods(objects)["review"]["containers"]
    theirs = {e["name"]: e.get("value") for e in review["env"]}
    for name, value in environment.items():
        assert theirs[name] == value
    (secret,) = code["envSecrets"]
    assert secret == {"name": "preceptor-master-key"}
    assert theirs["PRECEPTOR_MASTER_KEY"] is None


def test_what_the_chart_is_told_of_an_instance_is_what_dagster_takes(values, tmp_path):
    """additionalInstanceConfig goes into dagster.yaml as it stands."""
    import dagster as dg

    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(values["additionalInstanceConfig"]))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
