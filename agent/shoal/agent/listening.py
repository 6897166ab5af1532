"""The listening sockets: opened by the supervisor, so that they outlive every engine."""

import errno
import socket

from shoal.agent.settings import ServeAddress, TcpAddress, UnixAddress
from shoal.contract.problem import ConflictError, InvalidError, Problem
from shoal.contract.reason import Reason

BACKLOG = 256  # connections that wait while an engine comes back


def listen(address: ServeAddress) -> socket.socket:
    """A listening socket.

    Raises:
        ConflictError: the address is in use.
        InvalidError: it cannot be listened on at all.
    """
    try:
        return _unix(address) if isinstance(address, UnixAddress) else _tcp(address)
    except OSError as error:
        where = _text(address)
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                Problem(
                    reason=Reason.PORT_IN_USE,
                    message=f"something else serves on {where}",
                    field="--serve",
                    hint="stop it, or pick a free port with --serve 127.0.0.1:0",
                )
            ) from None
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"cannot serve on {where}: {error.strerror or error}",
                field="--serve",
            )
        ) from None


def url_of(listening: socket.socket) -> str:
    """Where clients find it: `http://HOST:PORT` or `unix:PATH`."""
    if listening.family == socket.AF_UNIX:
        return f"unix:{listening.getsockname()}"
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tcp(address: TcpAddress) -> socket.socket:
    family, kind, protocol, _, name = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(name)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _unix(address: UnixAddress) -> socket.socket:
    _remove_dead(address)
    address.path.parent.mkdir(parents=True, exist_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(address.path))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _remove_dead(address: UnixAddress) -> None:
    """A socket file that nobody listens on is left over from a crash."""
    if not address.path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.setblocking(False)  # where the backlog is full, too, somebody lives
        try:
            knock.connect(str(address.path))
        except BlockingIOError:
            return
        except ConnectionRefusedError:
            address.path.unlink()


def _text(address: ServeAddress) -> str:
    if isinstance(address, UnixAddress):
        return f"unix:{address.path}"
    return f"{address.host}:{address.port}"
