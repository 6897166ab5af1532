"""Records of the store as resources of the API, and back."""

import datetime as dt
from typing import Any

from shoal.controller.store.port import Record
from shoal.resources.base import API_VERSION

PLURALS = {
    "Device": "devices",
    "DeviceProfile": "deviceprofiles",
    "Model": "models",
    "Variant": "variants",
    "Deployment": "deployments",
    "Event": "events",
}


def resource(record: Record) -> dict[str, Any]:
    """The resource in `record`, with the metadata that only the store knows."""
    data = record.data
    metadata = {
        "labels": {},
        "annotations": {},
        "generation": 1,
        **data.get("metadata", {}),
        "name": record.name,
        "namespace": record.namespace,
        "uid": record.uid,
        "resourceVersion": str(record.resource_version),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": record.kind,
        "metadata": metadata,
        "spec": data.get("spec") or {},
        "status": data.get("status") or {},
    }


def labels(record: Record) -> dict[str, str]:
    """The labels of the resource in `record`."""
    return dict(record.data.get("metadata", {}).get("labels") or {})


def label_changes(before: Record | None, after: dict[str, str]) -> str:
    """The labels that are set and removed, as `shoal label` takes them; of a new resource none."""
    known = after if before is None else labels(before)
    written = [f"{key}={value}" for key, value in after.items() if known.get(key) != value]
    return " ".join([*written, *(f"{key}-" for key in known if key not in after)])


def iso(now_s: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    at = dt.datetime.fromtimestamp(now_s, dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
