"""Resources as operators send them and as the store holds them."""

from typing import Any

from shoal.controller.reconcile import revisions
from shoal.controller.store.port import Put

PROFILES = "/namespaces/default/deviceprofiles"


def a_profile(name: str = "small", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "shoal/v1",
        "kind": "DeviceProfile",
        "metadata": {"name": name},
        "spec": spec,
    }


def a_deployment(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "shoal/v1",
        "kind": "Deployment",
        "metadata": {"name": "digits"},
        "spec": {"model": "digits", "selector": {"matchLabels": {"app": "reader"}}, **spec},
    }


def a_device(name: str, **labels: str) -> Put:
    data = {"metadata": {"name": name, "namespace": "default", "labels": labels}, "spec": {}}
    return Put(kind="Device", namespace="default", name=name, data=data, expected=None)


def a_revision(number: int, spec: dict[str, Any]) -> Put:
    """A revision of the Model digits, of which nothing is known yet."""
    data = revisions.new_revision("digits", number, spec)
    name = f"digits.{number}"
    return Put(kind="ModelRevision", namespace="default", name=name, data=data, expected=None)
