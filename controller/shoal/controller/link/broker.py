"""Which MQTT broker the controller uses (`--mqtt`), behind one port."""

import enum
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason
from shoal.controller.link import addresses, mosquitto
from shoal.controller.link.addresses import Address
from shoal.controller.link.embedding import EmbeddedBroker
from shoal.controller.link.mosquitto import MosquittoBroker
from shoal.controller.link.mqtt import BusAccount

OPTION = "--mqtt"
LISTEN_OPTION = "--mqtt-listen"
_INSTALL = "install mosquitto 2 (Debian and Ubuntu: apt install mosquitto)"
_DEFAULT_PORT = 1883


class BrokerKind(enum.StrEnum):
    """The values of `--mqtt`; anything else is the URL of a broker that others run."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    EMBEDDED = "embedded"
    OFF = "off"


class Broker(Protocol):
    """A broker that fences devices in; `kind` is what people are shown."""

    kind: str
    address: Address
    account: BusAccount

    async def start(self, known: Mapping[str, str]) -> None:
        """Serve, with these devices and their stored secrets let in.

        Raises:
            FailedError: it did not start.
        """

    async def admit(self, device: str, secret: str | None) -> None:
        """Let a device in with this stored secret, or (None) out; in force on return."""

    async def close(self) -> None:
        """Leave no process behind."""


class ForeignBroker:
    """A broker that others run: accounts and fences of devices are their business."""

    kind = "url"

    def __init__(self, account: BusAccount) -> None:
        self.address = account.address
        self.account = account

    async def start(self, known: Mapping[str, str]) -> None:
        """See `Broker.start`."""

    async def admit(self, device: str, secret: str | None) -> None:
        """See `Broker.admit`."""

    async def close(self) -> None:
        """See `Broker.close`."""


def choose(option: str, listen: Address, folder: Path) -> Broker | None:
    """The broker that `--mqtt OPTION --mqtt-listen LISTEN` asks for, not yet started; None for off.

    `folder` is for its files. Port 0 is turned into a free one.

    Raises:
        InvalidError: an unknown value, mosquitto asked for and absent, or the embedded broker asked
            to serve more than this machine.
        FailedError: the port is in use.
    """
    if option == BrokerKind.OFF:
        return None
    if option not in set(BrokerKind):
        return ForeignBroker(_account_in(option))
    program = None if option == BrokerKind.EMBEDDED else mosquitto.find()
    if program is not None:
        return MosquittoBroker(program, addresses.free(listen, LISTEN_OPTION), folder)
    if option == BrokerKind.MOSQUITTO:
        raise InvalidError(
            Problem(
                reason=Reason.NOT_FOUND,
                message="no mosquitto 2 in PATH, /usr/sbin or /usr/local/sbin",
                field=OPTION,
                hint=f"{_INSTALL}, or use {OPTION} auto",
            )
        )
    if not listen.is_loopback:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"the embedded broker serves this machine alone, not {listen}",
                field=LISTEN_OPTION,
                hint=f"{_INSTALL}, or listen on 127.0.0.1:{listen.port}",
            )
        )
    return EmbeddedBroker(addresses.free(listen, LISTEN_OPTION))


def _account_in(url: str) -> BusAccount:
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or _DEFAULT_PORT
    except ValueError:
        parts, port = urllib.parse.urlsplit(""), 0
    if parts.scheme != "mqtt" or not parts.hostname:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"{OPTION} {url}: must be auto, mosquitto, embedded, off or a URL",
                field=OPTION,
                hint="a broker that others run: mqtt://USER:PASSWORD@HOST:1883",
            )
        )
    return BusAccount(
        address=Address(host=parts.hostname, port=port),
        user=urllib.parse.unquote(parts.username or ""),
        password=urllib.parse.unquote(parts.password or ""),
    )
