"""The manifests as kustomize builds them: valid, consistent, and as guarded as they say."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from spanserve.doors.grpc.health import LIVE
from spanserve.doors.grpc.service import SERVICE_NAME
from spanserve.doors.listener import AccessSettings
from spanserve.tracing import asked_by
from tests.kit.deployed import DEPLOY, OVERLAYS, ROOT, UNFORESEEN_S, kustomized, one, probe_place, variables

FOLDER = DEPLOY / "kubernetes"
#: Kinds that Kubernetes itself does not have.
CUSTOM = {"PodMonitor"}
#: Versions whose schemas the manifests are held against: gRPC probes are there since 1.27.
VERSIONS = ("1.27", "1.32", "1.37")
#: Port -> the variable that has it.
LISTENS = {"grpc": "SPANSERVE_LISTEN", "metrics": "SPANSERVE_METRICS", "http": "SPANSERVE_HTTP"}


@pytest.fixture(scope="module", params=(*OVERLAYS, "every component"))
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The objects of one overlay; last those of an overlay with the components that are left to choose."""
    if request.param in OVERLAYS:
        return kustomized(FOLDER / "overlays" / request.param)
    return kustomized(extended(tmp_path_factory.mktemp("kubernetes"), "mlu370") / "overlays/mlu370")


def extended(folder: Path, *overlays: str, chosen: Sequence[str] = ("autoscaling", "tls", "http")) -> Path:
    """A copy of the manifests whose overlays have every component in their own list, as docs/deploy.md says."""
    copy = shutil.copytree(FOLDER, folder / "kubernetes")
    for overlay in overlays:
        place = copy / "overlays" / overlay / "kustomization.yaml"
        content = yaml.safe_load(place.read_text(encoding="utf-8"))
        content["components"] += [f"../../components/{name}" for name in chosen]
        place.write_text(yaml.safe_dump(content))
    return copy


def pod_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    template: dict[str, Any] = one(objects, "Deployment")["spec"]["template"]
    return template


def worker_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (container,) = pod_of(objects)["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def environment(objects: list[dict[str, Any]]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in worker_of(objects)["env"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_schema(objects: list[dict[str, Any]], version: str) -> None:
    """Kubernetes knows every field."""
    schema = pytest.importorskip("kubernetes_validate")
    for item in objects:
        if item["kind"] not in CUSTOM:
            schema.validate(item, version, strict=True)


def test_selectors(objects: list[dict[str, Any]]) -> None:
    """Everything that picks pods picks these, and those of no other overlay."""
    pod = pod_of(objects)["metadata"]["labels"]
    device = {"spanserve-device": pod["spanserve-device"]}
    selectors = [
        one(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        one(objects, "Service")["spec"]["selector"],
        one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        one(objects, "PodMonitor")["spec"]["selector"]["matchLabels"],
    ]
    for selector in selectors:
        assert {**device, "app.kubernetes.io/name": "spanserve-worker"} == selector
        assert selector.items() <= pod.items()


def test_job(objects: list[dict[str, Any]]) -> None:
    """Prometheus scrapes the pods in the job that the alert rules ask for."""
    rules = (DEPLOY / "monitoring" / "rules.yml").read_text(encoding="utf-8")
    label = one(objects, "PodMonitor")["spec"]["jobLabel"]
    assert {pod_of(objects)["metadata"]["labels"][label]} == set(re.findall(r'job="([^"]+)"', rules))


def test_peers(objects: list[dict[str, Any]]) -> None:
    """The label of an overlay is asked of its workers, never of their clients or of Redis."""
    policy = one(objects, "NetworkPolicy")["spec"]
    peers = [peer for rule in policy["ingress"] for peer in rule["from"]]
    peers += [peer for rule in policy["egress"] for peer in rule["to"]]
    assert 4 == len(peers)
    assert "spanserve-device" not in str(peers)
    assert ["Ingress", "Egress"] == policy["policyTypes"]


def test_names(objects: list[dict[str, Any]]) -> None:
    """What refers to another object by name names one that is there."""
    deployment, account = one(objects, "Deployment"), one(objects, "ServiceAccount")
    assert account["metadata"]["name"] == deployment["spec"]["template"]["spec"]["serviceAccountName"]
    for scaler in (item for item in objects if item["kind"] == "HorizontalPodAutoscaler"):
        assert deployment["metadata"]["name"] == scaler["spec"]["scaleTargetRef"]["name"]
        assert "replicas" not in deployment["spec"]  # two that decide would fight
    pod = pod_of(objects)["spec"]
    mounts = {mount["name"] for mount in worker_of(objects)["volumeMounts"]}
    assert {volume["name"] for volume in pod["volumes"]} == mounts


def test_ports(objects: list[dict[str, Any]]) -> None:
    """Probes, service, policy and monitor name ports that the worker listens on."""
    worker, env = worker_of(objects), environment(objects)
    ports = {port["name"]: port["containerPort"] for port in worker["ports"]}
    listens = {
        name: int(env[variable].partition("?")[0].rpartition(":")[2])
        for name, variable in LISTENS.items()
        if variable in env
    }
    assert listens == ports
    named = [port["targetPort"] for port in one(objects, "Service")["spec"]["ports"]]
    named += [port["port"] for port in one(objects, "PodMonitor")["spec"]["podMetricsEndpoints"]]
    for rule in one(objects, "NetworkPolicy")["spec"]["ingress"]:
        named += [port["port"] for port in rule["ports"]]
    assert set(ports) >= set(named)


def test_tokens(objects: list[dict[str, Any]]) -> None:
    """Where there is TLS, clients and Prometheus need a token, and Prometheus has one; else nobody does."""
    env, endpoint = environment(objects), one(objects, "PodMonitor")["spec"]["podMetricsEndpoints"][0]
    secure = "SPANSERVE_TLS_CERT" in env
    assert secure == ("SPANSERVE_TOKENS" in env) == ("authorization" in endpoint)
    files = {
        option: Path(env[variable])
        for option, variable in (
            ("tls_cert", "SPANSERVE_TLS_CERT"),
            ("tls_key", "SPANSERVE_TLS_KEY"),
            ("tokens", "SPANSERVE_TOKENS"),
        )
        if variable in env
    }
    settings = AccessSettings(**files, insecure=env["SPANSERVE_INSECURE"] == "true")  # type: ignore[arg-type]
    scheme = "tls&tokens" if secure else "plain"
    assert scheme == settings.listener("listen", env["SPANSERVE_LISTEN"]).scheme
    if "SPANSERVE_HTTP" in env:
        assert scheme == settings.listener("http", env["SPANSERVE_HTTP"]).scheme
    assert scheme == settings.listener("metrics", env["SPANSERVE_METRICS"], plain=True).scheme
    assert ("https" if secure else None) == endpoint.get("scheme")


def test_probes(objects: list[dict[str, Any]]) -> None:
    """Start and readiness ask whether the worker serves, liveness only whether it moves; over TLS our probe asks."""
    worker, env = worker_of(objects), environment(objects)
    port = worker["ports"][0]["containerPort"]
    for name, service in (("startupProbe", ""), ("readinessProbe", ""), ("livenessProbe", LIVE)):
        probe = worker[name]
        if "SPANSERVE_TLS_CERT" in env:
            assert "grpc" not in probe
            _, program, *arguments = probe["exec"]["command"]
            assert probe_place() == program
            assert ([f"127.0.0.1:{port}", LIVE] if service else []) == arguments
            assert probe["timeoutSeconds"] > 3  # what the probe itself waits
        else:
            assert (port, service) == (probe["grpc"]["port"], probe["grpc"].get("service", ""))
    assert LIVE not in ("", SERVICE_NAME)


def test_end(objects: list[dict[str, Any]]) -> None:
    """A pod has the time that its drain may take at worst."""
    env = environment(objects)
    pause = float(worker_of(objects)["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = float(env["SPANSERVE_DRAIN_DELAY"]) + float(env["SPANSERVE_DRAIN_TIMEOUT"])
    grace = pod_of(objects)["spec"]["terminationGracePeriodSeconds"]
    assert grace >= pause + drain + UNFORESEEN_S


def test_variables(objects: list[dict[str, Any]]) -> None:
    """Every variable of the container is one that `spanserve worker` reads."""
    env = environment(objects)
    assert [] == [name for name in env if name != "PROBE_CA" and name not in variables("worker")]
    assert ["worker"] == worker_of(objects)["args"]


def test_guards(objects: list[dict[str, Any]]) -> None:
    """Nobody is root, nothing is written but to volumes of a known size, and there is no token to lose."""
    pod, worker = pod_of(objects)["spec"], worker_of(objects)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    guards = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert guards == worker["securityContext"]
    assert False is pod["automountServiceAccountToken"]
    assert False is one(objects, "ServiceAccount")["automountServiceAccountToken"]
    written = [mount["name"] for mount in worker["volumeMounts"] if not mount.get("readOnly")]
    sizes = {volume["name"]: volume.get("emptyDir", {}).get("sizeLimit") for volume in pod["volumes"]}
    assert written
    assert all(sizes[name] for name in written)
    assert {"memory"} <= set(worker["resources"]["limits"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)


@pytest.mark.parametrize(
    ("overlay", "resource"), [("cpu", None), ("mlu", "cambricon.com/mlu"), ("mlu370", "cambricon.com/mlu370")]
)
def test_cards(overlay: str, resource: str | None) -> None:
    """An overlay asks for one card, under the name that its device plugin gives it; the one for CPUs for none."""
    objects = kustomized(FOLDER / "overlays" / overlay)
    limits = worker_of(objects)["resources"]["limits"]
    assert ({resource: 1} if resource else {}) == {
        name: count for name, count in limits.items() if name.startswith("cambricon.com/")
    }
    assert ("mlu:0" if resource else "cpu") == environment(objects)["SPANSERVE_DEVICE"]


def test_side_by_side(tmp_path: Path) -> None:
    """Of overlays in one namespace each has names, an autoscaler and a TLS of its own."""
    overlays = ("mlu370", "cpu")
    copy = extended(tmp_path, *overlays)
    made = {"kind": "Kustomization", "resources": [f"overlays/{overlay}" for overlay in overlays]}
    (copy / "kustomization.yaml").write_text(yaml.safe_dump(made))
    objects = kustomized(copy)
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(set(names)) == len(names)
    scaled = {
        item["metadata"]["name"]: item["spec"]["scaleTargetRef"]["name"]
        for item in objects
        if item["kind"] == "HorizontalPodAutoscaler"
    }
    assert {f"worker-{overlay}": f"worker-{overlay}" for overlay in overlays} == scaled
    deployments = [item for item in objects if item["kind"] == "Deployment"]
    assert set(scaled) == {item["metadata"]["name"] for item in deployments}
    assert all("SPANSERVE_TLS_CERT" in environment([item]) for item in deployments)


def test_traces(tmp_path: Path) -> None:
    """Workers may speak to the collector that their traces go to; nothing else of the policy is wider."""
    plain = kustomized(FOLDER / "overlays/cpu")
    found = kustomized(extended(tmp_path, "cpu", chosen=("traces",)) / "overlays/cpu")
    endpoint = urlsplit(environment(found)["OTEL_EXPORTER_OTLP_ENDPOINT"])
    assert asked_by(environment(found))
    *known, collector = one(found, "NetworkPolicy")["spec"]["egress"]
    assert one(plain, "NetworkPolicy")["spec"]["egress"] == known
    (peer,) = collector["to"]
    namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    assert (endpoint.hostname, [{"port": endpoint.port}]) == (
        f"otel-collector.{namespace}",
        collector["ports"],
    )
    assert (
        environment(plain).keys() | {"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
        < environment(found).keys()
    )


def test_every_folder_is_used() -> None:
    """No component is left that neither an overlay takes in nor docs/deploy.md names."""
    components = {path.parent.name for path in (FOLDER / "components").glob("*/kustomization.yaml")}
    users = [*FOLDER.glob("overlays/*/kustomization.yaml"), ROOT / "docs" / "deploy.md"]
    text = "".join(path.read_text(encoding="utf-8") for path in users)
    assert [] == [name for name in components if f"components/{name}" not in text]
