"""The fleet of a simulation as an operator would write it: devices, profiles, a deployment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shoal.contract import jsonform
from shoal.controller.domain import standing
from shoal.controller.domain.strategy import amount_from_json

NAMESPACE = "default"
NAME = "digits"
RIVAL = "older"
DEPLOYMENT = f"{NAMESPACE}/{NAME}"
BUDGETS = {"small": "100B", "large": "200B"}  # what the two sizes of devices may hold
SIZES = tuple(BUDGETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One wave of the strategy."""

    name: str
    size: str
    approval: str = "auto"


RACKS = 4  # values of the label `rack`


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What operators say of one device: its size, and whether it may have work."""

    size: str
    selected: bool = True
    suspended: bool = False
    drained: bool = False


ACCURACY: Mapping[str, Any] = {"metric": "accuracy", "maxDrop": 0.2}
THREE_WAVES = (
    Wave(name="canary", size="10%"),
    Wave(name="half", size="50%"),
    Wave(name="all", size="100%"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How many devices of each size, how they are told, and how the rollout is cautious."""

    small: int = 3
    large: int = 2
    heartbeat_s: float = 5.0
    soak_s: int = 3
    max_soak_s: int = 20
    waves: tuple[Wave, ...] = THREE_WAVES
    max_unavailable: str = "50%"
    max_failures: str = "10%"
    device_timeout_s: int = 60
    progress_deadline_s: int = 120
    on_deadline: str = "hold"
    on_failure: str = "rollback"
    scope: str = "deployment"
    success: str = "90%"
    gates: tuple[Mapping[str, Any], ...] = (ACCURACY,)
    pace: Mapping[str, Any] = field(default_factory=dict)  # rate, window, budgets of labels

    @property
    def devices(self) -> int:
        """How many there are at the beginning."""
        return self.small + self.large

    def names(self) -> Iterator[tuple[str, str]]:
        """Every device with its size; the same in every run."""
        for size, count in (("small", self.small), ("large", self.large)):
            for i in range(count):
                yield f"{size}-{i}", size

    def canary(self, devices: int, selected: int) -> int:
        """The size of the first wave of a cohort with so many of the selected devices."""
        return amount_from_json(self.waves[0].size).up(devices, selected)

    def strategy(self, soak_s: int) -> dict[str, Any]:
        """The strategy of the deployment, fully defaulted as the API stores it."""
        waves = [
            {
                "name": one.name,
                "size": one.size,
                "soak": f"{soak_s}s",
                "maxSoak": f"{self.max_soak_s}s",
                "approval": one.approval,
            }
            for one in self.waves
        ]
        return {
            "waves": waves,
            "successThreshold": self.success,
            "maxFailures": self.max_failures,
            "quorum": "50%",
            "maxUnavailable": self.max_unavailable,
            "deviceTimeout": f"{self.device_timeout_s}s",
            "gates": [dict(one) for one in self.gates],
            "onFailure": {"action": self.on_failure, "scope": self.scope},
            "progressDeadline": f"{self.progress_deadline_s}s",
            "onDeadline": self.on_deadline,
            **self.pace,
        }

    def deployment(self, soak_s: int, generation: int) -> dict[str, Any]:
        """The Deployment, which selects every device of the app."""
        spec = {
            "model": NAME,
            "selector": {"matchLabels": {"app": "reader"}},
            "strategy": self.strategy(soak_s),
        }
        data = resource("Deployment", NAME, spec)
        data["metadata"]["generation"] = generation
        data["metadata"]["creationTime"] = "2027-01-01T00:00:00Z"
        return data


def device(name: str, place: Place) -> dict[str, Any]:
    """A Device in this place."""
    labels = {
        "size": place.size,
        "app": "reader" if place.selected else "other",
        "rack": rack_of(name),
    }
    data = resource("Device", name, {"suspended": place.suspended}, labels)
    if place.drained:
        data[standing.KEY] = jsonform.to_json(standing.Standing(drained=True))
    return data


def rack_of(name: str) -> str:
    """The same for a device in every run."""
    return str(sum(name.encode()) % RACKS)


def rival() -> dict[str, Any]:
    """A Deployment of the same model that is older, and that picks the devices of one rack."""
    spec = {"model": NAME, "selector": {"matchLabels": {"app": "reader", "rack": "0"}}}
    data = resource("Deployment", RIVAL, spec)
    data["metadata"]["creationTime"] = "1970-01-01T00:00:00Z"
    return data


def profiles() -> Iterator[tuple[str, dict[str, Any]]]:
    """The DeviceProfile of each size."""
    for size, artifact in BUDGETS.items():
        spec = {"selector": {"matchLabels": {"size": size}}, "budget": {"artifact": artifact}}
        yield size, resource("DeviceProfile", size, spec)


def resource(
    kind: str, name: str, spec: Mapping[str, Any], labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A resource as the API stores it."""
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "labels": dict(labels or {}),
        "generation": 1,
    }
    return {"apiVersion": "shoal/v1", "kind": kind, "metadata": metadata, "spec": dict(spec)}
