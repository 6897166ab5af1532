"""Errors of the compressor: the contract's own classes, built in one place.

ProblemError
├── InvalidError      a file, option or row is wrong; nothing was tried    exit 2
├── NotFoundError     a named file does not exist                          exit 3
├── FailedError       the search ran and nothing fits, or a child died     exit 1
└── StoppedError      Ctrl-C before a report was written                   exit 130
"""

from typing import ClassVar

from shoal.contract.problem import ExitCode, InvalidError, NotFoundError, Problem, ProblemError
from shoal.contract.reason import Reason


class StoppedError(ProblemError):
    """Interrupted before a report was written."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERRUPTED


def invalid(
    reason: str, message: str, *, field: str | None = None, hint: str | None = None
) -> InvalidError:
    """The error for input that is wrong."""
    return InvalidError(Problem(reason=reason, message=message, field=field, hint=hint))


def not_built_yet(what: str, hint: str, *, field: str | None = None) -> InvalidError:
    """The error for something the contracts name that this version cannot do."""
    return invalid(Reason.NOT_BUILT_YET, f"{what} is not built yet", field=field, hint=hint)


def missing_file(path: str, field: str) -> NotFoundError:
    """The error for a file that is not there."""
    return NotFoundError(
        Problem(
            reason=Reason.NOT_FOUND,
            message=f"there is no file {path}",
            field=field,
            hint="check the path; relative paths start at the working directory",
        )
    )
