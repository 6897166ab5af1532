"""`HOST:PORT` to listen on: read, checked to be free, and port 0 turned into a real one."""

import errno
import socket
from dataclasses import dataclass

from shoal.contract.problem import FailedError, InvalidError, Problem
from shoal.contract.reason import Reason

_PORTS = 65_536
_LOOPBACK = ("127.", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen or connect."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host.startswith(_LOOPBACK)


def parse(text: str, option: str) -> Address:
    """The address in `text`, which came from `option`.

    Raises:
        InvalidError: it is not `HOST:PORT`.
    """
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isdecimal() or int(port) >= _PORTS:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"{text!r} is not an address of the form HOST:PORT",
                field=option,
                hint=f"{option} 127.0.0.1:0 picks a free port",
            )
        )
    return Address(host=host, port=int(port))


def free(address: Address, option: str) -> Address:
    """The same address with a port that could be bound just now.

    Raises:
        FailedError: the port is in use (PortInUse).
        InvalidError: this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As every server here does: a port whose last connections linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise _cannot_listen(address, option, error) from None
        return Address(host=address.host, port=probe.getsockname()[1])


def _cannot_listen(address: Address, option: str, error: OSError) -> FailedError | InvalidError:
    if error.errno == errno.EADDRINUSE:
        return FailedError(
            Problem(
                reason=Reason.PORT_IN_USE,
                message=f"port {address.port} on {address.host} is in use by another program",
                field=option,
                hint=f"stop it, or choose another port: {option} {address.host}:0 picks a free one",
            )
        )
    return InvalidError(
        Problem(
            reason=Reason.INVALID,
            message=f"cannot listen on {address}: {error.strerror or error}",
            field=option,
        )
    )
