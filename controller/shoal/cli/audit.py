"""`shoal audit`: who did what to which resource, the newest last."""

import dataclasses
from typing import Annotated

import typer

from shoal.cli import printing, showing, targets
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import FailedError, InvalidError, Problem
from shoal.contract.reason import Reason

_SHOWN = 50


def command(
    context: typer.Context,
    what: Annotated[list[str] | None, typer.Argument(metavar="[KIND [NAME]]")] = None,
    user: Annotated[str, typer.Option(help="of this user only")] = "",
    verb: Annotated[str, typer.Option(help="of this verb only: apply, delete, abort …")] = "",
    limit: Annotated[int, typer.Option(min=1, help="the newest so many")] = _SHOWN,
    verify: Annotated[bool, typer.Option("--verify", help="check the whole log instead")] = False,
) -> None:
    """Show who did what, the newest last; every write and verb is kept.

    --verify follows the log from the newest entry to the first: exit 1 where one was changed.

    Example: shoal audit deployment digits --user ada
    """
    from shoal.client.audit import AuditFilter

    session: Session = context.obj
    if verify:
        _verify(session, narrowed=bool(what or user or verb))
        return
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


def _verify(session: Session, *, narrowed: bool) -> None:
    """Says whether the log is as it was written."""
    if narrowed:
        message = "--verify is of the whole log, not of a kind, a user or a verb"
        raise InvalidError(
            Problem(reason=Reason.INVALID, message=message, hint="leave one of the two out")
        )
    proof = session.client.audit.proof()
    if not proof.intact:
        raise FailedError(
            Problem(
                reason=Reason.DIGEST_MISMATCH,
                message=f"entry {proof.broken} of the audit log does not follow from the one "
                "before it",
                hint="what is older was changed, or the entry itself: compare with a backup",
            )
        )
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(dataclasses.asdict(proof), session.output)
    else:
        printing.line(f"intact: {proof.entries} entries, the newest is {proof.head or '-'}")


def _about(words: list[str]) -> tuple[str, str]:
    """Kind and name to look for; empty for all."""
    if not words:
        return "", ""
    target = targets.parse(words)
    return target.kind.name, target.names[0] if target.names else ""
