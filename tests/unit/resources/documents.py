"""Manifests of each kind that say no more than they must, and what refuses one."""

import copy
from typing import Any

import pytest

from shoal.contract.problem import Problem
from shoal.resources.errors import ManifestError
from shoal.resources.parsing import parse

MODEL: dict[str, Any] = {
    "apiVersion": "shoal/v1",
    "kind": "Model",
    "metadata": {"name": "digits"},
    "spec": {
        "source": "teacher.onnx",
        "data": {"calibration": "c.npz", "evaluation": "e.npz"},
    },
}
PROFILE: dict[str, Any] = {
    "apiVersion": "shoal/v1",
    "kind": "DeviceProfile",
    "metadata": {"name": "camera-small"},
    "spec": {},
}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "shoal/v1",
    "kind": "Deployment",
    "metadata": {"name": "digits"},
    "spec": {"model": "digits", "selector": {"matchLabels": {"app": "reader"}}},
}
DEVICE: dict[str, Any] = {
    "apiVersion": "shoal/v1",
    "kind": "Device",
    "metadata": {"name": "cam-1"},
}


def with_field(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    here = changed
    *above, last = path.split(".")
    for step in above:
        here = here.setdefault(step, {})
    here[last] = value
    return changed


def refused(document: object) -> Problem:
    """The one problem of a document that has one."""
    with pytest.raises(ManifestError) as caught:
        parse(document)
    assert len(caught.value.problems) == 1, caught.value.problems
    return caught.value.problem
