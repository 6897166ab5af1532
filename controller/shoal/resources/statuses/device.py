"""The status of a Device: whether it is there, what it is, what it runs."""

from typing import Literal

from pydantic import Field

from shoal.resources.base import Status, Told
from shoal.resources.statuses.shared import Condition, Plain


class Hardware(Plain):
    """What the agent measured of its own machine."""

    arch: str = Field(description="The processor's architecture, for example x86_64 or aarch64.")
    cpu: str = Field(description="The processor's own name.")
    cores: int = Field(description="Cores that the agent may use.")
    memory_bytes: int = Field(description="Memory of the machine, in bytes.")
    disk_free_bytes: int = Field(description="Free bytes for artifacts, as of lastSeen.")
    isa: list[str] = Field(
        description="Features of the processor that bear on int8 results or speed, sorted."
    )
    engines: list[list[str]] = Field(description="Installed engines, each as [name, version].")
    providers: list[str] = Field(description="Execution providers that ONNX Runtime has there.")
    speed_score: float | None = Field(
        description="Work done in a second by the agent's own micro-benchmark, larger is faster; "
        "null until measured."
    )


class Running(Told):
    """A variant that answers requests now."""

    deployment: str = Field(description="The Deployment that it belongs to.")
    model: str = Field(description="The name that requests use.")
    revision: int = Field(description="The revision of the Deployment's rollout.")
    digest: str = Field(description="The variant that serves.")
    generation: int = Field(description="Which order to this device it came with.")


class DeviceOutcome(Told):
    """How far the device came with the newest order of one Deployment."""

    deployment: str = Field(description="The Deployment.")
    generation: int = Field(description="Counts the orders of this Deployment to the device.")
    revision: int = Field(description="The revision that the order is part of.")
    phase: Literal[
        "Pending",
        "Fetching",
        "Preflight",
        "Soaking",
        "Confirmed",
        "Failed",
        "Refused",
        "LocalRollback",
    ] = Field(description="Where it stands; nothing follows the last four under one generation.")
    reason: str = Field(description="Why it failed or refused, for machines; else empty.")
    message: str = Field(description="The same in a sentence for people.")


class DeviceScouting(Status):
    """A variant that the device measures for others, without running it."""

    model: str = Field(description="The Model.")
    revision: int = Field(description="The Model's revision.")
    digest: str = Field(description="The variant.")


class DeviceStatus(Status):
    """What is known of a device, from its last report and from what people decided about it."""

    conditions: list[Condition] = Field(
        default_factory=list,
        description="Ready, Reachable, Serving, Admitted (deployments may select it), Profiled "
        "(it has the profile that its spec names).",
    )
    profile: str | None = Field(
        default=None, description="The DeviceProfile it has; `default` where none matches."
    )
    profile_class: str | None = Field(
        default=None,
        description="The class of devices it shares variants with; null until it has reported.",
    )
    last_seen: str | None = Field(
        default=None,
        description="When it was last heard, UTC, to about 15 seconds; null: never.",
    )
    hardware: Hardware | None = Field(default=None, description="The machine, as it measured it.")
    speed_tier: int | None = Field(
        default=None,
        description="Tells apart devices of one hardware that differ clearly in speed; 0: none do.",
    )
    agent_version: str | None = Field(default=None, description="The version of its agent.")
    link: str | None = Field(default=None, description="How it reports: grpc or mqtt.")
    serving_url: str | None = Field(
        default=None, description="Where it answers inference requests; empty where it does not."
    )
    spool: int | None = Field(
        default=None, description="Windows of telemetry that it has kept back while it was offline."
    )
    running: list[Running] = Field(default_factory=list, description="What serves on it now.")
    scouting: list[DeviceScouting] = Field(
        default_factory=list, description="What it measures as a scout at this moment."
    )
    outcomes: list[DeviceOutcome] = Field(
        default_factory=list, description="Where it stands with each Deployment's newest order."
    )
