"""What serving looked like lately: windows merged by deployment, variant and device.

Histograms merge exactly, so that a quantile of many windows is that of all their requests.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from shoal.contract.histogram import merge_all
from shoal.contract.telemetry import TelemetryWindow
from shoal.controller.api.ports import ApiPorts
from shoal.controller.store.port import StoredWindow

_LONGEST_S = 6 * 3600


def router(ports: ApiPorts) -> APIRouter:
    """`GET /telemetry`."""
    routes = APIRouter(tags=["Telemetry"])

    @routes.get("/telemetry", name="Read merged telemetry")
    async def telemetry(
        deployment: str | None = None,
        since_s: Annotated[float, Query(alias="sinceSeconds", gt=0, le=_LONGEST_S)] = 60,
    ) -> dict[str, Any]:
        since_ms = round((ports.now() - since_s) * 1000)
        return {"deployments": merge(await ports.telemetry.windows(deployment, since_ms))}

    return routes


def merge(windows: Iterable[StoredWindow]) -> dict[str, Any]:
    """Merged figures by deployment; below each, by variant and by device."""
    by_deployment: dict[str, list[StoredWindow]] = defaultdict(list)
    for one in windows:
        by_deployment[one.window.deployment].append(one)
    return {
        key: {
            **figures([one.window for one in found]),
            "variants": _grouped((one.window.variant, one.window) for one in found),
            "devices": _grouped((one.device, one.window) for one in found),
        }
        for key, found in sorted(by_deployment.items())
    }


def figures(windows: Sequence[TelemetryWindow]) -> dict[str, Any]:
    """The figures of all requests in `windows`; what nobody measured is null."""
    latency = merge_all(window.latency_ms for window in windows)
    labelled = sum(window.labelled for window in windows)
    correct = sum(window.correct for window in windows)
    quantiles = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    return {
        "requests": sum(window.requests for window in windows),
        "errors": sum(window.errors for window in windows),
        "labelled": labelled,
        "correct": correct,
        "accuracy": correct / labelled if labelled else None,
        "latency_ms": {name: latency.quantile(share) for name, share in quantiles.items()},
    }


def _grouped(pairs: Iterable[tuple[str, TelemetryWindow]]) -> dict[str, Any]:
    groups: dict[str, list[TelemetryWindow]] = defaultdict(list)
    for key, window in pairs:
        groups[key].append(window)
    return {key: figures(found) for key, found in sorted(groups.items())}
