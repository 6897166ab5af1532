"""`shoal audit`: who did what to which resource, the newest last."""

from typing import Annotated

import typer

from shoal.cli import printing, showing, targets
from shoal.cli.invocation import Output
from shoal.cli.session import Session

_SHOWN = 50


def command(
    context: typer.Context,
    what: Annotated[list[str] | None, typer.Argument(metavar="[KIND [NAME]]")] = None,
    user: Annotated[str, typer.Option(help="of this user only")] = "",
    verb: Annotated[str, typer.Option(help="of this verb only: apply, delete, abort …")] = "",
    limit: Annotated[int, typer.Option(min=1, help="the newest so many")] = _SHOWN,
) -> None:
    """Show who did what, the newest last; every write and verb is kept.

    Example: shoal audit deployment digits --user ada
    """
    from shoal.client.audit import AuditFilter

    session: Session = context.obj
    kind, name = _about(what or [])
    wanted = AuditFilter(
        user=user,
        verb=verb,
        kind=kind,
        # Some writes, such as of tokens, belong to no namespace: without -n everything is told.
        namespace=session.invocation.given_namespace or "",
        name=name,
    )
    found = []
    for entry in session.client.audit.entries(wanted):
        found.append(entry)
        if len(found) == limit:
            break
    found.reverse()
    if found or session.output is not Output.TABLE:
        showing.many(session, found)
    else:
        printing.note("nothing was done yet")


def _about(words: list[str]) -> tuple[str, str]:
    """Kind and name to look for; empty for all."""
    if not words:
        return "", ""
    target = targets.parse(words)
    return target.kind.name, target.names[0] if target.names else ""
