"""What a device and the controller exchange when the device joins.

The token proves that an operator wants the device, the signing request that it holds its own
key. The controller alone names the device and its labels: what the device asks for is a wish.
"""

import re
from dataclasses import dataclass

from shoal.contract.limits import DEVICE_NAME_CHARS
from shoal.contract.profile import HardwareProfile

DEVICE_LABEL_PREFIX = "device/"  # the only label keys a device may choose for itself

_LABEL_CHARS = 63
_LABEL_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolRequest:
    """A device asks to join; an empty `name` lets the controller choose one."""

    token: str
    name: str
    labels: tuple[tuple[str, str], ...]
    csr_pem: bytes
    hardware: HardwareProfile
    agent_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolResponse:
    """A device has joined; `secret` is shown this once, `broker` is empty where there is none."""

    device: str
    namespace: str
    secret: str
    broker: str
    certificate_pem: bytes
    authority_pem: bytes


def device_label(key: str, value: str) -> tuple[str, str]:
    """The two as a label that a device may give itself; the form is that of every other label.

    Raises:
        ValueError: another key than `device/NAME`, or characters that no label has.
    """
    name = key.removeprefix(DEVICE_LABEL_PREFIX)
    if name == key or not name:
        raise ValueError(
            f"a device may only give itself labels under {DEVICE_LABEL_PREFIX}, not {key!r}"
        )
    for part in filter(None, (name, value)):
        if len(part) > _LABEL_CHARS or not _LABEL_PART.fullmatch(part):
            raise ValueError(
                f"{part!r} cannot be in a label: up to {_LABEL_CHARS} letters, digits and inner"
                " - _ ."
            )
    return key, value


def device_name(text: str) -> str:
    """`text` as the name of a device: a DNS label, which is safe in topics, paths and URLs.

    Raises:
        ValueError: it is not 1 to 63 lower-case letters, digits and inner hyphens.
    """
    if len(text) > DEVICE_NAME_CHARS or not _DNS_LABEL.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a device name: 1 to {DEVICE_NAME_CHARS} lower-case letters, digits"
            " and inner hyphens"
        )
    return text
