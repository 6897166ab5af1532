"""`shoal delete`: delete resources by name."""

from typing import Annotated

import typer

from shoal.cli import printing, targets
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason


def command(
    context: typer.Context,
    what: Annotated[list[str], typer.Argument(metavar="KIND NAME...")],
) -> None:
    """Delete resources by name. A deleted deployment stops on its devices.

    Example: shoal delete deployment digits
    """
    session: Session = context.obj
    target = targets.parse(what)
    namespace = session.invocation.one_namespace
    if not target.names:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message="`shoal delete` needs the names of what to delete",
                hint=f"for example shoal delete {target.kind.name.lower()} NAME",
            )
        )
    deleted = []
    for name in target.names:
        session.client.resources.delete(target.kind, namespace, name)
        deleted.append({"kind": target.kind.name, "namespace": namespace, "name": name})
        if session.output not in {Output.JSON, Output.YAML}:
            said = f"{target.kind.name.lower()}/{name}"
            printing.line(said if session.output is Output.NAME else f"{said} deleted")
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"deleted": deleted}, session.output)
