"""What went wrong, in the one shape that every program prints.

    ProblemError
    ├── InvalidError       the input is wrong                       exit 2
    ├── NotFoundError      the named thing does not exist           exit 3
    ├── ConflictError      somebody else changed it first           exit 4
    ├── UnreachableError   the other side did not answer in time    exit 5
    ├── ForbiddenError     the caller may not do this               exit 6
    └── FailedError        asked for, tried, did not happen         exit 1

Programs subclass these in their own `errors.py`; HTTP, gRPC and exit codes are mapped from the
class in one table each.
"""

import enum
from dataclasses import dataclass
from typing import ClassVar


class ExitCode(enum.IntEnum):
    """Exit codes of all programs (contracts: section 2)."""

    DONE = 0
    FAILED = 1
    INVALID = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNREACHABLE = 5
    FORBIDDEN = 6
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: what, where, and what to try.

    `reason` is a CamelCase word for machines, `message` a sentence, `field` a path such as
    `spec.strategy.waves[0].size`, `location` `file:line:column`, `hint` a next step.
    """

    reason: str
    message: str
    field: str | None = None
    location: str | None = None
    hint: str | None = None

    def to_json(self) -> dict[str, str]:
        """The `error` object of contracts section 2; empty parts are left out."""
        parts = {
            "reason": self.reason,
            "message": self.message,
            "field": self.field,
            "location": self.location,
            "hint": self.hint,
        }
        return {name: text for name, text in parts.items() if text is not None}

    def to_text(self) -> str:
        """The same for a terminal: where and what on the first line, the next step below."""
        where = f"{self.location}: " if self.location else ""
        field = f" ({self.field})" if self.field else ""
        lines = [f"error: {where}{self.message}{field} [{self.reason}]"]
        if self.hint:
            lines.append(f"  try: {self.hint}")
        return "\n".join(lines)


class ProblemError(Exception):
    """A failure that a person or a script can act on."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class InvalidError(ProblemError):
    """The input is wrong; nothing was changed."""

    exit_code = ExitCode.INVALID


class NotFoundError(ProblemError):
    """The named thing does not exist."""

    exit_code = ExitCode.NOT_FOUND


class ConflictError(ProblemError):
    """The thing changed since it was read; read it again."""

    exit_code = ExitCode.CONFLICT


class UnreachableError(ProblemError):
    """The other side did not answer in time."""

    exit_code = ExitCode.UNREACHABLE


class ForbiddenError(ProblemError):
    """The caller may not do this."""

    exit_code = ExitCode.FORBIDDEN


class FailedError(ProblemError):
    """It was tried and did not happen."""

    exit_code = ExitCode.FAILED
