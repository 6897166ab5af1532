"""MQTT topics of the device plane: one subtree a device, fenced per device by the broker.

Everything under `up/` is written by the device alone, everything under `down/` by the controller
alone. Payloads are the same protobuf messages that gRPC carries (proto/shoal/v1).
"""

import enum

ROOT = "shoal/v1/devices"


class Up(enum.StrEnum):
    """Written by the device."""

    HELLO = "hello"  # shoal.v1.Hello: sent on every connect and on a jittered timer
    REPORT = "report"  # shoal.v1.DeviceReport
    TELEMETRY = "telemetry"  # shoal.v1.TelemetryBatch
    FETCH = "fetch"  # shoal.v1.FetchRequest


class Down(enum.StrEnum):
    """Written by the controller."""

    DESIRED = "desired"  # shoal.v1.DesiredState
    ACK = "ack"  # shoal.v1.ReportAck
    STORED = "stored"  # shoal.v1.TelemetryAck
    CHUNK = "chunk"  # shoal.v1.ArtifactChunk
    DOORBELL = "doorbell"  # empty: read the desired state again


def up(device: str, channel: Up) -> str:
    """The topic on which `device` publishes."""
    return f"{ROOT}/{device}/up/{channel}"


def down(device: str, channel: Down) -> str:
    """The topic on which `device` listens."""
    return f"{ROOT}/{device}/down/{channel}"


def down_filter(device: str) -> str:
    """The subscription of one device."""
    return f"{ROOT}/{device}/down/+"


def up_filter() -> str:
    """The subscription of the controller: every device's up channel."""
    return f"{ROOT}/+/up/+"


def parse_up(topic: str) -> tuple[str, Up]:
    """The device and channel of an up topic.

    Raises:
        ValueError: the topic is not `shoal/v1/devices/<device>/up/<channel>`.
    """
    parts = topic.split("/")
    if len(parts) != 6 or "/".join(parts[:3]) != ROOT or parts[4] != "up":
        raise ValueError(f"{topic!r} is not a device's up topic")
    return parts[3], Up(parts[5])


def parse_down(topic: str) -> Down:
    """The channel of a down topic.

    Raises:
        ValueError: the topic is not `shoal/v1/devices/<device>/down/<channel>`.
    """
    parts = topic.split("/")
    if len(parts) != 6 or "/".join(parts[:3]) != ROOT or parts[4] != "down":
        raise ValueError(f"{topic!r} is not a device's down topic")
    return Down(parts[5])
