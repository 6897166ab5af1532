"""The gRPC channel to the controller, and what its errors mean here."""

import json

import grpc
import grpc.aio

from shoal.agent.errors import LinkError
from shoal.contract import headers, jsonform
from shoal.contract.limits import MESSAGE_BYTES
from shoal.contract.problem import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    Problem,
    ProblemError,
    UnreachableError,
)
from shoal.contract.reason import Reason

_OPTIONS: list[tuple[str, int]] = [
    # Quick returns: the spread over a fleet comes from our own jitter, not from the channel.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    # A controller that vanished without a word is noticed within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),
]

_ERRORS: dict[grpc.StatusCode, type[ProblemError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.PERMISSION_DENIED: ForbiddenError,
}


def open_channel(server: str) -> grpc.aio.Channel:
    """A channel to `HOST:PORT` that connects when first used and comes back quickly."""
    return grpc.aio.insecure_channel(server, options=_OPTIONS)


def problem_of(error: grpc.aio.AioRpcError, server: str) -> ProblemError:
    """The error that the controller meant, or that it was not reached."""
    kind = _ERRORS.get(error.code(), UnreachableError)
    sent = _trailer(error, headers.PROBLEM)
    if isinstance(sent, bytes):
        try:
            return kind(jsonform.from_json(Problem, json.loads(sent)))
        except ValueError:
            pass  # not a controller of ours: its status must do
    return kind(
        Problem(
            reason=Reason.TIMED_OUT
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            else Reason.UNREACHABLE,
            message=f"the controller at {server} did not answer: {error.details()}",
            hint="is it running (shoal serve), and is this the address of --listen-devices?",
        )
    )


def link_error(error: grpc.aio.AioRpcError, server: str) -> LinkError:
    """The same as the Link port raises it."""
    problem = problem_of(error, server).problem
    known = problem.reason in set(Reason)
    return LinkError(problem.message, Reason(problem.reason) if known else Reason.UNREACHABLE)


def trouble_of(error: grpc.aio.AioRpcError, server: str) -> str:
    """The same for people, alike for as long as it is the same trouble."""
    problem = problem_of(error, server).problem
    if problem.reason in {Reason.UNREACHABLE, Reason.TIMED_OUT}:
        return f"the controller at {server} is not reached"
    return f"the controller at {server} refuses: {problem.message}; {problem.hint}".rstrip("; ")


def retry_after_s(error: grpc.aio.AioRpcError) -> float:
    """How long the controller asked us to stay away; 0 when it did not."""
    sent = _trailer(error, headers.RETRY_AFTER)
    try:
        return max(0.0, float(sent)) if isinstance(sent, str) else 0.0
    except ValueError:
        return 0.0


def _trailer(error: grpc.aio.AioRpcError, key: str) -> str | bytes | None:
    for name, value in error.trailing_metadata() or ():
        if name == key:
            return value
    return None
