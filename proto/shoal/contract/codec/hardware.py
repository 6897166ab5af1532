"""Hardware profiles on the wire."""

from shoal.contract.codec.checks import finite
from shoal.contract.profile import HardwareProfile
from shoal.v1 import profile_pb2


def encode_hardware(value: HardwareProfile) -> profile_pb2.HardwareProfile:
    """The message of a hardware profile."""
    return profile_pb2.HardwareProfile(
        arch=value.arch,
        cpu=value.cpu,
        cores=value.cores,
        memory_bytes=value.memory_bytes,
        disk_free_bytes=value.disk_free_bytes,
        isa=value.isa,
        engines=[profile_pb2.Engine(name=name, version=version) for name, version in value.engines],
        providers=value.providers,
        speed_score=value.speed_score,
    )


def decode_hardware(message: profile_pb2.HardwareProfile) -> HardwareProfile:
    """The hardware profile in a message.

    Raises:
        ValueError: a speed that is no number.
    """
    return HardwareProfile(
        arch=message.arch,
        cpu=message.cpu,
        cores=message.cores,
        memory_bytes=message.memory_bytes,
        disk_free_bytes=message.disk_free_bytes,
        isa=tuple(message.isa),
        engines=tuple((one.name, one.version) for one in message.engines),
        providers=tuple(message.providers),
        speed_score=finite(message.speed_score, "hardware.speed_score")
        if message.HasField("speed_score")
        else None,
    )
