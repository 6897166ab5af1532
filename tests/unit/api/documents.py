"""Resources as operators send them and as the store holds them."""

from typing import Any

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


def a_revision(number: int, model: str = "digits") -> Put:
    """A revision of a Model of which nothing is known yet."""
    data = {"model": model, "number": number, "classes": {}}
    name = f"{model}.{number}"
    return Put(kind="ModelRevision", namespace="default", name=name, data=data, expected=None)
