"""What the agent was asked to do, checked."""

from dataclasses import dataclass
from pathlib import Path

from shoal.contract.enrolment import device_label
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

DEFAULT_STATE = Path("~/.local/state/shoal-agent")
DEFAULT_SERVE = "127.0.0.1:8472"

_UNIX = "unix:"
_PORTS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAddress:
    """Where to listen; port 0 picks a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixAddress:
    """A socket file to listen on."""

    path: Path


ServeAddress = TcpAddress | UnixAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """How to enrol; an empty name lets the controller choose one."""

    server: str
    token: str
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One agent; `joining` is used where the state folder holds no identity yet."""

    state: Path
    link: str
    serve: ServeAddress
    joining: Joining | None = None


def serve_address(text: str) -> ServeAddress:
    """The address written in `text`: `HOST:PORT` or `unix:PATH`.

    Raises:
        InvalidError: neither.
    """
    if text.startswith(_UNIX) and len(text) > len(_UNIX):
        return UnixAddress(path=Path(text.removeprefix(_UNIX)).expanduser().absolute())
    host, _, port = text.rpartition(":")
    if host and port.isdecimal() and int(port) < _PORTS:
        return TcpAddress(host=host.removeprefix("[").removesuffix("]"), port=int(port))
    raise _invalid(
        "--serve", f"{text!r} is no address to serve on", "127.0.0.1:8472 or unix:/run/shoal.sock"
    )


def server_address(text: str) -> str:
    """The controller's `HOST:PORT`.

    Raises:
        InvalidError: something else.
    """
    host, _, port = text.rpartition(":")
    if host and "/" not in host and port.isdecimal() and 0 < int(port) < _PORTS:
        return text
    raise _invalid(
        "--server",
        f"{text!r} is not HOST:PORT",
        "the address of the controller's --listen-devices, for example 127.0.0.1:8471",
    )


def device_labels(text: str) -> tuple[tuple[str, str], ...]:
    """The labels in `k=v,…`; a device may only name keys under `device/`.

    Raises:
        InvalidError: another form, or another key.
    """
    pairs = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        key, equals, value = part.partition("=")
        try:
            if not equals:
                raise ValueError(f"{part!r} is no KEY=VALUE")
            pairs.append(device_label(key, value))
        except ValueError as error:
            hint = "device/KEY=VALUE; other labels come from the join token"
            raise _invalid("--labels", str(error), hint) from None
    return tuple(pairs)


def _invalid(field: str, message: str, hint: str) -> InvalidError:
    return InvalidError(Problem(reason=Reason.INVALID, message=message, field=field, hint=hint))
