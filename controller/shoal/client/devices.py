"""What operators decide of devices."""

import enum

from shoal.client.kinds import DEVICE
from shoal.client.places import Item
from shoal.client.resources import Resource
from shoal.client.transport import Request, Transport


class Verb(enum.StrEnum):
    """What may be decided of a device."""

    APPROVE = "approve"
    REVOKE = "revoke"
    DRAIN = "drain"


class Devices:
    """The devices of one controller."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def decide(self, namespace: str, name: str, verb: Verb) -> Resource:
        """The device after `verb`; deciding the same twice is the same as once.

        Raises:
            ConflictError: the device was revoked, and stays so.
        """
        item = Item(plural=DEVICE.plural, namespace=namespace, name=name)
        return self._transport.json(Request.of(item, "POST", f"/{verb.value}"))
