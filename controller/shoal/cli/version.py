"""`shoal version`: of this program and of the controller."""

import importlib.metadata
from typing import Any

import typer

from shoal.cli import printing
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import UnreachableError


def command(context: typer.Context) -> None:
    """Show the versions of this program and of the controller.

    Example: shoal version -o json
    """
    session: Session = context.obj
    mine = importlib.metadata.version("shoal")
    try:
        theirs: dict[str, Any] | None = session.client.version()
    except UnreachableError:
        theirs = None  # this program's own version is worth printing without a controller
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"client": mine, "controller": theirs}, session.output)
        return
    printing.line(f"shoal {mine}")
    said = f"{theirs.get('version')} at {session.client.server}" if theirs else "not reachable"
    printing.line(f"controller {said}")
