"""KServe and KEDA as kustomize builds their objects: valid by their own schemas, and the same workers as without."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.integration.deploy.test_kubernetes import FOLDER, extended
from tests.kit.custom_resources import validate
from tests.kit.deployed import DEPLOY, OVERLAYS, kustomized, one

AROUND = "resources: [../{overlay}]\ncomponents: [../../components/kserve]\n"


def served(folder: Path, overlay: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What an overlay makes by itself, and what KServe gets, with every component that can be chosen."""
    made = extended(folder, overlay)
    around = made / "overlays" / "kserve"
    around.mkdir()
    (around / "kustomization.yaml").write_text(AROUND.format(overlay=overlay))
    return kustomized(made / "overlays" / overlay), kustomized(around)


@pytest.fixture(scope="module", params=OVERLAYS)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return served(tmp_path_factory.mktemp("kserve"), request.param)


Both = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def test_valid(both: Both) -> None:
    """KServe knows every field, and its type."""
    for kind in ("ServingRuntime", "InferenceService"):
        validate(one(both[1], kind))


def test_the_same_worker(both: Both) -> None:
    """The runtime is the pod of the Deployment, which is gone; what it has no field for is in the service."""
    before, after = both
    assert [] == [item for item in after if item["kind"] == "Deployment"]
    template = one(before, "Deployment")["spec"]["template"]
    pod, runtime = template["spec"], one(after, "ServingRuntime")["spec"]
    predictor = one(after, "InferenceService")["spec"]["predictor"]
    assert [{**pod["containers"][0], "name": "kserve-container"}] == runtime["containers"]
    assert (template["metadata"]["labels"], pod["volumes"]) == (runtime["labels"], runtime["volumes"])
    assert pod.get("tolerations") == runtime.get("tolerations")
    assert (
        one(before, "Deployment")["spec"]["strategy"]["rollingUpdate"]
        == predictor["deploymentStrategy"]["rollingUpdate"]
    )
    copied = set(pod) - {"containers", "volumes", "tolerations"}
    assert {name: pod[name] for name in copied} == {name: predictor.get(name) for name in copied}


def test_names(both: Both) -> None:
    """What an object names is there, and what picks pods picks those of KServe."""
    after = both[1]
    runtime, service = one(after, "ServingRuntime"), one(after, "InferenceService")
    predictor = service["spec"]["predictor"]
    assert runtime["metadata"]["name"] == service["metadata"]["name"] == predictor["model"]["runtime"]
    assert one(after, "ServiceAccount")["metadata"]["name"] == predictor["serviceAccountName"]
    assert predictor["model"]["modelFormat"]["name"] in [
        known["name"] for known in runtime["spec"]["supportedModelFormats"]
    ]
    assert predictor["model"]["protocolVersion"] in runtime["spec"]["protocolVersions"]
    selectors = [
        one(after, "Service")["spec"]["selector"],
        *(
            one(after, kind)["spec"]["selector"]["matchLabels"]
            for kind in ("PodDisruptionBudget", "PodMonitor")
        ),
        one(after, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= runtime["spec"]["labels"].items() for selector in selectors)


def test_ports(both: Both) -> None:
    """Its gateway is let in to the port that KServe sends to: the first, of gRPC."""
    after = both[1]
    ports = one(after, "ServingRuntime")["spec"]["containers"][0]["ports"]
    assert ["grpc", "metrics", "http"] == [port["name"] for port in ports]
    asking = one(after, "NetworkPolicy")["spec"]["ingress"][0]
    assert {"namespaceSelector": {"matchLabels": {"spanserve-gateway": "true"}}} in asking["from"]
    assert [{"port": "grpc"}, {"port": "http"}] == asking["ports"]


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """An overlay with KEDA in the place of our autoscaler."""
    made = extended(tmp_path_factory.mktemp("keda"), "mlu370")
    place = made / "overlays/mlu370/kustomization.yaml"
    place.write_text(place.read_text(encoding="utf-8").replace("components/autoscaling", "components/keda"))
    return kustomized(made / "overlays/mlu370")


def test_keda(scaled: list[dict[str, Any]]) -> None:
    """KEDA knows every field; it scales the workers of its overlay, and nobody else does."""
    found, deployment = one(scaled, "ScaledObject"), one(scaled, "Deployment")
    validate(found)
    assert {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"]} == found[
        "spec"
    ]["scaleTargetRef"]
    assert "replicas" not in deployment["spec"]
    assert [] == [item for item in scaled if item["kind"] == "HorizontalPodAutoscaler"]


def test_the_same_scaling(scaled: list[dict[str, Any]]) -> None:
    """It scales by the recorded series of the rules, to the target of the component autoscaling, and as fast."""
    spec = one(scaled, "ScaledObject")["spec"]
    hpa = yaml.safe_load((FOLDER / "components/autoscaling/hpa.yaml").read_text(encoding="utf-8"))["spec"]
    (trigger,), (metric,) = spec["triggers"], hpa["metrics"]
    target = metric["external"]["target"]
    assert (target["type"], target["value"]) == (trigger["metricType"], trigger["metadata"]["threshold"])
    assert hpa["behavior"] == spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (spec["minReplicaCount"], spec["maxReplicaCount"])
    rules = yaml.safe_load((DEPLOY / "monitoring/rules.yml").read_text(encoding="utf-8"))
    recorded = [rule.get("record") for group in rules["groups"] for rule in group["rules"]]
    assert trigger["metadata"]["query"].removeprefix("max(").partition("{")[0] in recorded


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "minReplicaCounts"), 1),
        (("spec", "minReplicaCount"), "one"),
        (("spec", "triggers"), None),
        (("spec", "fallback", "behavior"), "hope"),
        (("spec", "triggers", 0, "metadata", "threshold"), 60),
        (("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleUp", "speed"), "high"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_the_schema_bites(scaled: list[dict[str, Any]], path: tuple[str | int, ...], value: object) -> None:
    """An object with a field that is unknown, missing, or of another type is refused."""
    item: Any = copy.deepcopy(one(scaled, "ScaledObject"))
    place: Any = item
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(item)
