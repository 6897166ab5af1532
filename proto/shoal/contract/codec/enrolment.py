"""Enrolment on the wire."""

from shoal.contract.codec.checks import at_most
from shoal.contract.codec.hardware import decode_hardware, encode_hardware
from shoal.contract.enrolment import EnrolRequest, EnrolResponse
from shoal.contract.limits import LABELS
from shoal.v1 import device_plane_pb2


def encode_enrol_request(value: EnrolRequest) -> device_plane_pb2.EnrolRequest:
    """The message of a wish to join."""
    return device_plane_pb2.EnrolRequest(
        token=value.token,
        name=value.name,
        labels=dict(value.labels),
        csr_pem=value.csr_pem,
        hardware=encode_hardware(value.hardware),
        agent_version=value.agent_version,
    )


def decode_enrol_request(message: device_plane_pb2.EnrolRequest) -> EnrolRequest:
    """The wish to join in a message; labels come out sorted by key.

    Raises:
        ValueError: too many labels.
    """
    at_most(message.labels, LABELS, "labels")
    return EnrolRequest(
        token=message.token,
        name=message.name,
        labels=tuple(sorted(message.labels.items())),
        csr_pem=message.csr_pem,
        hardware=decode_hardware(message.hardware),
        agent_version=message.agent_version,
    )


def encode_enrol_response(value: EnrolResponse) -> device_plane_pb2.EnrolResponse:
    """The message that admits a device."""
    return device_plane_pb2.EnrolResponse(
        device=value.device,
        namespace=value.namespace,
        secret=value.secret,
        broker=value.broker,
        certificate_pem=value.certificate_pem,
        authority_pem=value.authority_pem,
    )


def decode_enrol_response(message: device_plane_pb2.EnrolResponse) -> EnrolResponse:
    """The admission in a message."""
    return EnrolResponse(
        device=message.device,
        namespace=message.namespace,
        secret=message.secret,
        broker=message.broker,
        certificate_pem=message.certificate_pem,
        authority_pem=message.authority_pem,
    )
