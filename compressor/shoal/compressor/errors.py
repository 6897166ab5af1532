"""Errors of the compressor: the contract's own classes, built in one place.

ProblemError
├── InvalidError      a file, option or row is wrong; nothing was tried    exit 2
├── NotFoundError     a named file does not exist                          exit 3
├── FailedError       the search ran and nothing fits, or a child died     exit 1
└── StoppedError      Ctrl-C before a report was written                   exit 130
"""

import errno
import os
import traceback
from pathlib import Path
from typing import ClassVar, Final

from shoal.contract.problem import ExitCode, InvalidError, NotFoundError, Problem, ProblemError
from shoal.contract.reason import Reason

_FULL: Final = (
    "free space there, or point --out or SHOAL_CACHE_DIR at another disk; "
    "the next run goes on from what is cached"
)
_CLOSED: Final = "point --out or SHOAL_CACHE_DIR at a folder that may be written"
_FILE_HINTS: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _CLOSED,
    errno.EACCES: f"give yourself the right to it, or {_CLOSED}",
    errno.EPERM: _CLOSED,
    errno.ENAMETOOLONG: "give a shorter path",
    errno.EMFILE: "allow more open files: ulimit -n",
}


_ALLOCATION: Final = ("bad_alloc", "can't allocate memory", "Cannot allocate memory")


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


def require_file(path: str, field: str) -> None:
    """Nothing where `path` is a file that can be read.

    Raises:
        InvalidError: it is a folder, a pipe or a device, or may not be read.
        NotFoundError: there is nothing.
    """
    if Path(path).is_file():
        if not os.access(path, os.R_OK):
            raise invalid(
                Reason.INVALID,
                f"{path} may not be read by this user",
                field=field,
                hint="give yourself the right to it: chmod u+r",
            )
        return
    if path and Path(path).exists():
        what = "a folder" if Path(path).is_dir() else "a pipe or a device"
        raise invalid(
            Reason.INVALID,
            f"{path} is {what}, not a file",
            field=field,
            hint="give the path of the file itself",
        )
    raise NotFoundError(
        Problem(
            reason=Reason.NOT_FOUND,
            message=f"there is no file {path!r}",
            field=field,
            hint="check the path; relative paths start at the working directory",
        )
    )


def stopped() -> StoppedError:
    """The error for an end that somebody asked for, with nothing to show."""
    return StoppedError(
        Problem(
            reason="Interrupted",
            message="interrupted before a report was written",
            hint="what was measured is cached: the same command goes on from there",
        )
    )


def about_files(error: OSError) -> Problem:
    """What the machine refused to do with which file, and what would let it."""
    place = error.filename2 or error.filename  # of a copy, where it goes to
    named = f"{place}: {error.strerror}" if place else str(error.strerror or error)
    return Problem(
        reason="Failed",
        message=named,
        hint=_FILE_HINTS.get(error.errno or 0, "look at what lies at that path"),
    )


def fault(error: Exception) -> Problem:
    """The error for a fault of our own, which must not look like the user's."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    what = (str(error).splitlines() or [""])[0][:300]
    return Problem(
        reason="InternalError",
        message=f"{type(error).__name__}: {what}",
        location=f"{Path(frame.filename).name}:{frame.lineno}:1",
        hint="this is a fault of shoal-compress itself: please report it with the command line",
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out somewhere behind `error`: another try, with more, may end otherwise.

    C++ libraries say std::bad_alloc, torch that its allocator cannot.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or any(words in str(seen) for words in _ALLOCATION):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
