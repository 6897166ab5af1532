"""What the API answered when it did not do what was asked.

    ProblemError
    ├── InvalidError       400, 422
    ├── NotFoundError      404
    │   └── AbsentError        the resource that was named is not there
    ├── ConflictError      409
    │   └── GoneError      410: these changes are no longer kept, list again
    ├── UnreachableError   503, 504, no answer at all, or one that no controller gives
    ├── ForbiddenError     401, 403
    └── FailedError        everything else

The classes are those of `shoal.contract.problem`; the answer's body carries the problem itself.
"""

import http
import json
import re
from typing import Any

from shoal.client.places import Item
from shoal.contract.problem import (
    ConflictError,
    FailedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    Problem,
    ProblemError,
    UnreachableError,
)
from shoal.contract.reason import Reason


class GoneError(ConflictError):
    """The changes asked for are no longer kept: list again and watch from there."""


class AbsentError(NotFoundError):
    """A resource was named that is not there; `item` says which."""

    def __init__(self, problem: Problem, item: Item) -> None:
        super().__init__(problem)
        self.item = item


_CLASSES: dict[int, tuple[type[ProblemError], Reason]] = {
    400: (InvalidError, Reason.INVALID),
    401: (ForbiddenError, Reason.FORBIDDEN),
    403: (ForbiddenError, Reason.FORBIDDEN),
    404: (NotFoundError, Reason.NOT_FOUND),
    409: (ConflictError, Reason.CONFLICT),
    410: (GoneError, Reason.GONE),
    413: (InvalidError, Reason.INVALID),
    422: (InvalidError, Reason.INVALID),
    503: (UnreachableError, Reason.UNREACHABLE),
    504: (UnreachableError, Reason.TIMED_OUT),
}


_REFUSALS = 400
_ABSENT = 404


def from_answer(status: int, body: bytes, asked: str) -> ProblemError:
    """The error that status and body of an answer stand for; `asked` names the request."""
    kind, reason = _CLASSES.get(status, (FailedError, Reason.INTERNAL))
    problem = _problem(body)
    if problem is None and (status < _REFUSALS or status == _ABSENT):
        # A controller explains what it does not have; that somebody else has nothing says nothing.
        return UnreachableError(_foreign(status, Reason.UNREACHABLE, asked))
    return kind(problem or _foreign(status, reason, asked))


def _problem(body: bytes) -> Problem | None:
    """The problem in the body, or None where something other than the API answered."""
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return None
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or not {"reason", "message"} <= error.keys():
        return None
    parts = {
        name: str(error[name])
        for name in ("reason", "message", "field", "location", "hint")
        if error.get(name) is not None
    }
    return Problem(**parts)


def _foreign(status: int, reason: Reason, asked: str) -> Problem:
    phrase = http.HTTPStatus(status).phrase if status in set(http.HTTPStatus) else "unknown status"
    return Problem(
        reason=reason,
        message=f"{asked} was answered with {status} ({phrase}) and no explanation",
        hint="check that the address is that of a Shoal controller (--server or SHOAL_SERVER)",
    )


def why(error: Exception) -> str:
    """`Connection refused` for `[Errno 111] Connection refused`."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


def unreachable(server: str, why: str) -> UnreachableError:
    """Nobody answered at `server`: says where it looked and how to start a controller."""
    return UnreachableError(
        Problem(
            reason=Reason.UNREACHABLE,
            message=f"no controller answered at {server} ({why})",
            hint="start one with `shoal serve`, or name another with --server or SHOAL_SERVER",
        )
    )


def timed_out(server: str, timeout_s: float) -> UnreachableError:
    """The controller at `server` took longer than the caller wanted to wait."""
    return UnreachableError(
        Problem(
            reason=Reason.TIMED_OUT,
            message=f"the controller at {server} did not answer within {timeout_s:g} s",
            hint="look at its log, or allow more time with --timeout",
        )
    )
