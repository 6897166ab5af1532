"""The program `shoal`: reads the global options, runs one verb, turns failures into exit codes."""

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer

from shoal.cli import invocation, printing, verbs
from shoal.cli.session import Session
from shoal.contract.problem import ExitCode, InvalidError, Problem, ProblemError
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


def main() -> None:
    """Runs the program with the arguments of the process and exits."""
    if sys.argv[1:2] == [verbs.COMPLETE]:
        from shoal.cli import completing

        sys.exit(completing.run(sys.argv[2:]))
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line; whatever fails is told in the shape asked for."""
    as_json = invocation.wants_json(arguments)
    try:
        asked = invocation.parse(arguments, verbs.FOREIGN)
        if asked.verbose:
            logging.basicConfig(stream=sys.stderr, level=logging.INFO)
        return _run(asked)
    except ProblemError as error:
        printing.problem(error.problem, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted(as_json=as_json)
    except BrokenPipeError:
        # The reader of our output went away (`shoal events | head`): nobody is left to tell, and
        # the interpreter must not try to flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except OSError as error:
        failure = Problem(reason=Reason.INTERNAL, message=str(error))
        printing.problem(failure, as_json=as_json)
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - a mistake of ours: told in full, in the shape asked for
        traceback.print_exc()
        mistake = Problem(
            reason=Reason.INTERNAL,
            message=f"a mistake in shoal itself: {error!r}",
            hint="please report it with the lines on stderr",
        )
        printing.problem(mistake, as_json=as_json)
        return ExitCode.FAILED


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
    with Session(asked) as session:
        try:
            code = command().main(line, prog_name="shoal", standalone_mode=False, obj=session)
        except typer.TyperException as error:
            raise _usage(error) from error
    if code == ExitCode.INTERRUPTED:  # what typer makes of KeyboardInterrupt
        raise KeyboardInterrupt
    return int(code) if isinstance(code, int) else ExitCode.DONE


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


def _interrupted(*, as_json: bool) -> int:
    problem = Problem(reason="Interrupted", message="interrupted")
    printing.problem(problem, as_json=as_json)
    return ExitCode.INTERRUPTED


if __name__ == "__main__":
    main()
