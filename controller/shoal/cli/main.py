"""The program `shoal`: reads the global options, runs one verb, turns failures into exit codes."""

import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final

import typer

from shoal.cli import invocation, printing, verbs
from shoal.cli.session import Session
from shoal.contract.problem import (
    ExitCode,
    FailedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    Problem,
    ProblemError,
)
from shoal.contract.reason import Reason

HELP = """Keep the right model on every edge device: apply, roll out, watch, undo.

Example: shoal apply -f digits.yaml && shoal rollout status digits
"""
GLOBAL_OPTIONS = """Global options, before or after the command:

\b
  --server URL          the controller (else SHOAL_SERVER, else the current
                        context, else http://127.0.0.1:8470)
  -n, --namespace NAME  the namespace (default: default)
  -A, --all-namespaces  all namespaces
  -o, --output FORMAT   table, wide, json, yaml or name
  --timeout DURATION    how long to wait, for example 30s
  -v, --verbose         log requests to stderr
"""
# What a shell says of a program that its reader left; programs that end by the signal say the same.
_BROKEN_PIPE: Final = 128 + signal.SIGPIPE
_REFUSED: Final[tuple[tuple[type[OSError], type[ProblemError], Reason], ...]] = (
    (FileNotFoundError, NotFoundError, Reason.NOT_FOUND),
    (PermissionError, ForbiddenError, Reason.FORBIDDEN),
)


def main() -> None:
    """Runs the program with the arguments of the process and exits."""
    _prepare_streams()
    if sys.argv[1:2] == [verbs.COMPLETE]:
        from shoal.cli import completing

        sys.exit(completing.run(sys.argv[2:]))
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line; whatever fails is told in the shape asked for."""
    try:
        code = _told(arguments, as_json=invocation.wants_json(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output went away (`shoal events | head`): nobody is left to tell.
        _abandon_stdout()
        return _BROKEN_PIPE
    except OSError as error:  # stdout takes no more, on a full disk for example
        _abandon_stdout()
        failure = _of_system(error)
        printing.problem(failure.problem, as_json=False)
        return failure.exit_code
    return code


def _told(arguments: Sequence[str], *, as_json: bool) -> int:
    try:
        asked = invocation.parse(arguments, verbs.FOREIGN)
        if asked.verbose:
            logging.basicConfig(stream=sys.stderr, level=logging.INFO)
        return _run(asked)
    except ProblemError as error:
        failure = error
    except KeyboardInterrupt:
        printing.problem(Problem(reason="Interrupted", message="interrupted"), as_json=as_json)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        failure = _of_system(error)
    except Exception as error:  # noqa: BLE001 - a mistake of ours: told in full, in the shape asked for
        traceback.print_exc()
        mistake = Problem(
            reason=Reason.INTERNAL,
            message=f"a mistake in shoal itself: {error!r}",
            hint="please report it with the lines on stderr",
        )
        failure = FailedError(mistake)
    printing.problem(failure.problem, as_json=as_json)
    return failure.exit_code


def _of_system(error: OSError) -> ProblemError:
    """What the system refused: a file that is not there is 3, one that may not be read is 6."""
    kind, reason = next(
        ((kind, reason) for known, kind, reason in _REFUSED if isinstance(error, known)),
        (FailedError, Reason.INTERNAL),
    )
    named = f"{error.filename}: " if error.filename else ""
    return kind(Problem(reason=reason, message=f"{named}{error.strerror or error}"))


def _abandon_stdout() -> None:
    """Lets the interpreter flush into nothing at its end, instead of failing once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prepare_streams() -> None:
    """Makes every stream take whatever comes.

    What the caller closed (`shoal get devices >&-`) takes and says nothing; a glyph that the
    terminal's encoding lacks is a question mark.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nothing = io.TextIOWrapper(io.FileIO(os.devnull, mode), encoding="utf-8")
            setattr(sys, name, nothing)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def command() -> Any:
    """The group of all verbs."""
    return verbs.Verbs(
        name="shoal",
        help=HELP,
        epilog=GLOBAL_OPTIONS,
        rich_markup_mode=None,
        no_args_is_help=False,
        invoke_without_command=False,
    )


def _run(asked: invocation.Invocation) -> int:
    if not asked.rest and asked.output is invocation.Output.JSON:
        raise InvalidError(
            Problem(reason=Reason.INVALID, message="no command was given", hint="shoal --help")
        )
    line = list(asked.rest) or ["--help"]
    group = command()
    with Session(asked) as session:
        try:
            # Not `group.main`, which has ideas of its own about interrupts and readers that left.
            with group.make_context("shoal", line, obj=session) as context:
                group.invoke(context)
        except typer.Exit as ended:
            return ended.exit_code
        except typer.TyperException as error:
            raise _usage(error) from error
        except NotFoundError as error:
            raise _nearest(session, error) from error
    return ExitCode.DONE


def _nearest(session: Session, error: NotFoundError) -> NotFoundError:
    """The error with the nearest name, where it is about a resource of the controller."""
    from shoal.client.errors import AbsentError

    if not isinstance(error, AbsentError):
        return error
    from shoal.cli import naming

    return naming.hinted(session, error)


def _usage(error: typer.TyperException) -> InvalidError:
    """A line that typer could not parse, in our own shape."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "shoal"
    return InvalidError(
        Problem(
            reason=Reason.INVALID,
            message=error.format_message().rstrip("."),
            hint=f"{path} --help",
        )
    )


if __name__ == "__main__":
    main()
