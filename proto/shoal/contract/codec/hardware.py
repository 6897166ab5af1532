"""Hardware profiles on the wire."""

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
        speed_tier=value.speed_tier,
    )


def decode_hardware(message: profile_pb2.HardwareProfile) -> HardwareProfile:
    """The hardware profile in a message."""
    return HardwareProfile(
        arch=message.arch,
        cpu=message.cpu,
        cores=message.cores,
        memory_bytes=message.memory_bytes,
        disk_free_bytes=message.disk_free_bytes,
        isa=tuple(message.isa),
        engines=tuple((one.name, one.version) for one in message.engines),
        providers=tuple(message.providers),
        speed_tier=message.speed_tier,
    )
