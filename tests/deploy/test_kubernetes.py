"""The Kubernetes manifests, held to the API's own schemas and to the restricted pod security standard.

`kustomize` is not needed: what these kustomizations use of it (resources, components, name suffix, namespace, labels, images, one JSON
patch) is applied here. The result is not promised to be kustomize's byte for byte; every object is validated before and after.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deploy/kubernetes"
EXAMPLE = FOLDER / "overlays/example"
VERSION = "1.34"
CUSTOM = {"ServiceMonitor"}
"""Of the Prometheus operator: not in Kubernetes' schemas."""
KNOWN = {"apiVersion", "kind", "resources", "components", "nameSuffix", "namespace", "labels", "images", "patches"}

Manifest = dict[str, Any]


def built(folder: Path) -> list[Manifest]:
    """What `kubectl kustomize FOLDER` answers."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(kustomization) <= KNOWN, f"{folder}: this test does not know how to apply all of it"
    found: list[Manifest] = []
    for name in (*kustomization.get("resources", ()), *kustomization.get("components", ())):
        path = folder / name
        found += built(path) if path.is_dir() else [each for each in yaml.safe_load_all(path.read_text()) if each]
    for patch in kustomization.get("patches", ()):
        for manifest in found:
            if manifest["kind"] == patch["target"]["kind"] and manifest["metadata"]["name"] == patch["target"]["name"]:
                for operation in yaml.safe_load(patch["patch"]):
                    replace(manifest, operation)
    for manifest in found:
        transform(manifest, kustomization)
    return found


def replace(manifest: Manifest, operation: Manifest) -> None:
    """JSON patch (RFC 6902), `replace` alone."""
    assert operation["op"] == "replace"
    *way, last = (int(step) if step.isdigit() else step for step in operation["path"].split("/")[1:])
    place: Any = manifest
    for step in way:
        place = place[step]
    assert last in place
    place[last] = operation["value"]


def transform(manifest: Manifest, kustomization: Manifest) -> None:
    manifest["metadata"]["name"] += kustomization.get("nameSuffix", "")
    if "namespace" in kustomization and manifest["kind"] != "Namespace":
        manifest["metadata"]["namespace"] = kustomization["namespace"]
    for labels in kustomization.get("labels", ()):
        manifest["metadata"].setdefault("labels", {}).update(labels["pairs"])
        template = manifest.get("spec", {}).get("template")
        if template and (labels.get("includeTemplates") or labels.get("includeSelectors")):
            template["metadata"]["labels"].update(labels["pairs"])
        if labels.get("includeSelectors") and "selector" in manifest.get("spec", {}):
            manifest["spec"]["selector"]["matchLabels"].update(labels["pairs"])
    for image in kustomization.get("images", ()):
        for container in containers(manifest):
            name = container["image"].partition(":")[0]
            if name == image["name"]:
                container["image"] = f"{image.get('newName', name)}:{image['newTag']}"


def containers(manifest: Manifest) -> Iterator[Manifest]:
    pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
    yield from pod.get("initContainers", ())
    yield from pod.get("containers", ())


BUILT = built(EXAMPLE)
PODS = [manifest for manifest in BUILT if list(containers(manifest))]


def called(manifest: Manifest) -> str:
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


def problems(manifest: Manifest) -> list[str]:
    try:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'/'.join(str(step) for step in error.path)}: {error.message}"]
    return []


@pytest.mark.parametrize("manifest", [each for each in BUILT if each["kind"] not in CUSTOM], ids=called)
def test_objects_fit_the_schemas_of_kubernetes(manifest):
    assert problems(manifest) == []


def test_a_manifest_that_does_not_fit_is_found():
    wrong = copy.deepcopy(next(each for each in BUILT if each["kind"] == "Deployment"))
    wrong["spec"]["template"]["spec"]["containers"][0]["ressources"] = {}
    assert problems(wrong)


def test_each_source_has_its_owner_and_its_spare_and_one_may_always_be_drained():
    for source in ("trading", "portfolio"):
        (deployment,) = (each for each in BUILT if called(each) == f"Deployment-replicate-{source}")
        (budget,) = (each for each in BUILT if called(each) == f"PodDisruptionBudget-replicate-{source}")
        assert deployment["spec"]["replicas"] == 2
        assert budget["spec"]["minAvailable"] == 1
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        for selector in (deployment["spec"]["selector"], budget["spec"]["selector"]):
            assert selector["matchLabels"].items() <= labels.items()
            assert selector["matchLabels"]["cdc-audit/source"] == source
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["env"] == [{"name": "SOURCE", "value": source}]


@pytest.mark.parametrize("manifest", PODS, ids=called)
def test_pods_are_restricted(manifest):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, "Restricted", and more."""
    pod = manifest["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC"))
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"secret", "projected", "emptyDir", "configMap"}
    for container in containers(manifest):
        context = container["securityContext"]
        assert context == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) == set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert re.fullmatch(r"registry\.example\.com/cdc-audit:\d+\.\d+\.\d+", container["image"])
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in pod["volumes"]}


def test_what_runs_on_is_probed():
    for manifest in PODS:
        if manifest["kind"] == "Deployment":
            (container,) = manifest["spec"]["template"]["spec"]["containers"]
            assert container["startupProbe"]
            assert container["livenessProbe"]


def test_no_secret_is_in_the_manifests():
    assert [called(each) for each in BUILT if each["kind"] == "Secret"] == []
    named = {
        source.get("secret", {}).get("name") or source.get("secret", {}).get("secretName")
        for manifest in PODS
        for volume in manifest["spec"]["template"]["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [volume])
    }
    assert named - {None} == {"cdc-migrate", "cdc-worker", "cdc-supervisor", "cdc-keyring"}


def test_nobody_is_reached_but_the_supervisor():
    policies = {each["metadata"]["name"]: each["spec"] for each in BUILT if each["kind"] == "NetworkPolicy"}
    everybody = policies["cdc"]["podSelector"]["matchLabels"].items()
    for manifest in PODS:
        assert everybody <= manifest["spec"]["template"]["metadata"]["labels"].items()
    assert policies["cdc"]["ingress"] == []
    assert set(policies["cdc"]["policyTypes"]) == {"Ingress", "Egress"}
    (rule,) = policies["supervisor"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == [9464]
