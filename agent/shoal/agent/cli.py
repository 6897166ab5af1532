"""`shoal-agent`: the device's side of Shoal on the command line.

What takes time to import is imported inside the commands, so that `--help` is quick.
"""

import asyncio
import enum
import json
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from shoal.agent import settings
from shoal.contract.problem import ConflictError, ExitCode, InvalidError, Problem, ProblemError
from shoal.contract.reason import Reason

app = typer.Typer(
    name="shoal-agent",
    help="Keep the assigned model running on this device.",
    epilog="Example: shoal-agent run --server 127.0.0.1:8471 --token TOKEN",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Output(enum.StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"


class LinkChoice(enum.StrEnum):
    """How the controller is reached."""

    AUTO = "auto"
    GRPC = "grpc"
    MQTT = "mqtt"


StateOption = Annotated[Path, typer.Option("--state", metavar="DIR", help="The agent's folder.")]
OutputOption = Annotated[Output, typer.Option("-o", "--output", help="How to print.")]
ServerOption = Annotated[
    str, typer.Option("--server", metavar="HOST:PORT", help="The controller's device address.")
]
TokenOption = Annotated[
    str, typer.Option("--token", metavar="TOKEN", help="A join token (shoal token create).")
]
NameOption = Annotated[str, typer.Option("--name", metavar="NAME", help="The wanted device name.")]
LabelsOption = Annotated[
    str, typer.Option("--labels", metavar="device/K=V,…", help="Labels of its own.")
]


@app.command(
    epilog="Example: shoal-agent enroll --server 127.0.0.1:8471 --token TOKEN --name reader-1"
)
def enroll(
    server: ServerOption,
    token: TokenOption,
    name: NameOption = "",
    labels: LabelsOption = "",
    state: StateOption = settings.DEFAULT_STATE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Join a fleet with a one-time token and keep the identity in the state folder."""
    from shoal.agent import app as program  # noqa: PLC0415 - grpc is slow to import
    from shoal.agent.link import identity as identities  # noqa: PLC0415

    folder = state.expanduser()
    joining = _joining(server, token, name, labels)
    if identities.exists(folder):
        known = identities.load(folder)
        raise ConflictError(
            Problem(
                reason=Reason.ALREADY_EXISTS,
                message=f"{folder} is enrolled already, as {known.device}",
                hint="start it with shoal-agent run, or give another --state DIR",
            )
        )
    identity = asyncio.run(program.enroll(folder, joining))
    told = {
        "device": identity.device,
        "namespace": identity.namespace,
        "server": identity.server,
        "broker": identity.broker,
    }
    _print(told, f"enrolled as {identity.device} in {identity.namespace}", output)


@app.command(epilog="Example: shoal-agent run --serve 127.0.0.1:0 --link mqtt")
def run(
    state: StateOption = settings.DEFAULT_STATE,
    link: Annotated[
        LinkChoice, typer.Option("--link", help="How to reach the controller.")
    ] = LinkChoice.AUTO,
    serve: Annotated[
        str,
        typer.Option(
            "--serve", metavar="HOST:PORT|unix:PATH", help="Where to serve inference; port 0: any."
        ),
    ] = settings.DEFAULT_SERVE,
    server: ServerOption = "",
    token: TokenOption = "",
    name: NameOption = "",
    labels: LabelsOption = "",
) -> None:
    """Serve the assigned models until stopped; enrols first where the state folder is empty."""
    asked = settings.RunSettings(
        state=state.expanduser().absolute(),
        link=link,
        serve=settings.serve_address(serve),
        joining=_joining(server, token, name, labels) if server or token else None,
    )
    from shoal.agent import app as program  # noqa: PLC0415 - grpc is slow to import

    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    told = asyncio.run(program.run(asked))
    raise typer.Exit(ExitCode.INTERRUPTED if told is signal.SIGINT else ExitCode.DONE)


@app.command(epilog="Example: shoal-agent status -o json")
def status(
    state: StateOption = settings.DEFAULT_STATE, output: OutputOption = Output.TABLE
) -> None:
    """What runs on this device; exit code 1 where the agent itself does not run."""
    from shoal.agent import standing  # noqa: PLC0415 - only this command needs it

    found = standing.read(state.expanduser())
    _print(found, standing.to_text(found), output)
    raise typer.Exit(ExitCode.DONE if found["alive"] else ExitCode.FAILED)


def main() -> None:
    """Runs the program with the arguments of the process and exits."""
    sys.exit(main_with(sys.argv[1:]))


def main_with(arguments: Sequence[str]) -> int:
    """The exit code of one command line."""
    as_json = _wants_json(arguments)
    command = typer.main.get_command(app)
    try:
        code = command.main(list(arguments), prog_name="shoal-agent", standalone_mode=False)
    except ProblemError as error:
        _complain(error.problem, as_json=as_json)
        return error.exit_code
    except typer.TyperException as error:
        _complain(_usage(error), as_json=as_json)
        return ExitCode.INVALID
    return int(code) if isinstance(code, int) else ExitCode.DONE


def _joining(server: str, token: str, name: str, labels: str) -> settings.Joining:
    for option, value in (("--server", server), ("--token", token)):
        if not value:
            raise InvalidError(
                Problem(
                    reason=Reason.INVALID,
                    message=f"{option} is missing",
                    field=option,
                    hint="both --server HOST:PORT and --token TOKEN are needed to enrol",
                )
            )
    return settings.Joining(
        server=settings.server_address(server),
        token=token,
        name=name,
        labels=settings.device_labels(labels),
    )


def _usage(error: typer.TyperException) -> Problem:
    """A line that typer could not parse, in our own shape."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "shoal-agent"
    message = error.format_message().rstrip(".")
    return Problem(reason=Reason.INVALID, message=message, hint=f"{path} --help")


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether errors are to be JSON, also where the rest of the line cannot be parsed."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        one in {"-ojson", "--output=json"} or (one in {"-o", "--output"} and value == "json")
        for one, value in pairs
    )


def _print(document: dict[str, Any], text: str, output: Output) -> None:
    typer.echo(json.dumps(document, indent=2) if output is Output.JSON else text)


def _complain(problem: Problem, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"error": problem.to_json()}))
    else:
        typer.echo(problem.to_text(), err=True)
