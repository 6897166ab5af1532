"""Which link a device uses."""

import enum
import random

from shoal.agent.core.ports import Link
from shoal.agent.link.auto import AutoLink
from shoal.agent.link.grpc import GrpcLink
from shoal.agent.link.identity import Identity
from shoal.agent.link.mqtt import MqttLink
from shoal.agent.link.pipe import Pipe
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason


class LinkKind(enum.StrEnum):
    """The values of `--link`."""

    AUTO = "auto"
    GRPC = "grpc"
    MQTT = "mqtt"


def open_link(kind: LinkKind, identity: Identity, rng: random.Random) -> Link:
    """The link of this kind, already connecting; call it inside the running event loop.

    Raises:
        InvalidError: MQTT alone was asked for and enrolment named no broker.
    """
    if kind is LinkKind.MQTT and not identity.broker:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message="the controller had no MQTT broker when this device enrolled",
                field="--link",
                hint="use --link grpc, or start the controller with a broker and enrol again",
            )
        )
    if kind is LinkKind.MQTT:
        return MqttLink(identity, rng)
    grpc = GrpcLink(identity, rng)
    if kind is LinkKind.GRPC or not identity.broker:
        return grpc
    return AutoLink(grpc, Pipe(identity, rng))
