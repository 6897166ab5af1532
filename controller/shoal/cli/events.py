"""`shoal events`: what happened lately, the newest last."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from shoal.cli import columns, facts, printing, showing
from shoal.cli.invocation import Output
from shoal.cli.session import Session


def command(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="go on with new events")] = False,
    warnings: Annotated[bool, typer.Option("--warnings", help="warnings only")] = False,
) -> None:
    """Show what happened lately, the newest last.

    -w goes on until Ctrl-C, or until --timeout with exit 5.

    Example: shoal events -w --warnings
    """
    from shoal.client import kinds
    from shoal.client.resources import Scope

    session: Session = context.obj
    scope = Scope(namespace=session.invocation.namespace)
    if watch:
        _follow(session, warnings=warnings)
        return
    items = session.client.resources.list(kinds.EVENT, scope).items
    wanted = [event for event in items if _is_wanted(event, warnings=warnings)]
    showing.many(session, facts.newest_last(wanted))


def _is_wanted(event: Mapping[str, Any], *, warnings: bool) -> bool:
    return not warnings or facts.at(event, "spec.type") == "Warning"


def _follow(session: Session, *, warnings: bool) -> None:
    from shoal.client import following, kinds
    from shoal.client.resources import Scope

    asked = session.invocation
    stream = following.changes(
        session.client.resources,
        kinds.EVENT,
        Scope(namespace=asked.namespace),
        following.Deadline.after(asked.timeout_s),
    )
    shown = columns.chosen(
        "Event", wide=session.output is Output.WIDE, all_namespaces=asked.namespace is None
    )
    table = printing.Stream([column.title for column in shown])
    for change in stream:
        if change.kind == "DELETED" or not _is_wanted(change.resource, warnings=warnings):
            continue
        if session.output is Output.JSON:
            printing.record(change.resource)
        elif session.output in {Output.YAML, Output.NAME}:
            showing.one(session, change.resource)
        else:
            table.add([column.read(change.resource) for column in shown])
