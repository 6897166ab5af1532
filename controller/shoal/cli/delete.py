"""`shoal delete`: delete resources by name."""

from typing import TYPE_CHECKING, Annotated

import typer

from shoal.cli import confirming, printing, reached, targets
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, Problem, ProblemError
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.client.kinds import Kind


def command(
    context: typer.Context,
    what: Annotated[list[str], typer.Argument(metavar="KIND NAME...")],
    cascade: Annotated[bool, typer.Option("--cascade", help="delete what uses them, too")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Delete resources by name. A deleted deployment stops on its devices.

    What others use is refused with their names; --cascade deletes those as well. On a terminal the
    number of devices that it reaches is to be typed.

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
    said = f"deleting {target.kind.name.lower()} {', '.join(target.names)}"
    confirming.agree(
        said, lambda: reached.by(session.client, target.kind, (namespace, target.names)), yes=yes
    )
    deleted: list[dict[str, str]] = []
    for name in target.names:
        try:
            all_gone = _deleted(session, target.kind, (namespace, name), cascade=cascade)
        except ProblemError as error:
            before = [f"{one['kind'].lower()}/{one['name']} deleted" for one in deleted]
            session.add_done(error, before)
            raise
        for kind, gone in all_gone:
            deleted.append({"kind": kind.name, "namespace": namespace, "name": gone})
            if session.output not in {Output.JSON, Output.YAML}:
                said = f"{kind.name.lower()}/{gone}"
                printing.line(said if session.output is Output.NAME else f"{said} deleted")
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"deleted": deleted}, session.output)


def _deleted(
    session: Session, kind: "Kind", place: tuple[str, str], *, cascade: bool
) -> list[tuple["Kind", str]]:
    """What goes with the resource at (namespace, name), the resource last; all of it is deleted."""
    from shoal.client import kinds

    used = reached.users(session.client, *place) if cascade and kind is kinds.MODEL else []
    session.client.resources.delete(kind, *place, cascade=cascade)
    return [*((kinds.DEPLOYMENT, name) for name in used), (kind, place[1])]
