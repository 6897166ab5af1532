"""`shoal describe`: everything about one resource, for people, with what happened to it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from shoal.cli import descriptions, facts, printing, targets
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.session import Session

if TYPE_CHECKING:
    from shoal.client.kinds import Kind

_EVENTS = 10


def command(
    context: typer.Context,
    what: Annotated[list[str], typer.Argument(metavar="KIND NAME")],
) -> None:
    """Show everything about one resource.

    Example: shoal describe deployment digits
    """
    session: Session = context.obj
    kind, name = targets.exactly_one(what, "describe")
    namespace = session.invocation.one_namespace
    resource = session.client.resources.get(kind, namespace, name)
    events = _events(session, kind, resource)
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({**resource, "events": events}, session.output)
        return
    for text in descriptions.of(resource, events):
        printing.prose(text)


def _events(session: Session, kind: "Kind", resource: Resource) -> Sequence[Resource]:
    """The last events regarding the resource, the newest last."""
    from shoal.client import kinds
    from shoal.client.resources import Scope

    if kind is kinds.EVENT:
        return []
    metadata = resource["metadata"]
    regarding = f"{kind.name}/{metadata.get('namespace', 'default')}/{metadata['name']}"
    listing = session.client.resources.list(kinds.EVENT, Scope(namespace=metadata.get("namespace")))
    about = [one for one in listing.items if facts.at(one, "spec.regarding") == regarding]
    return facts.newest_last(about)[-_EVENTS:]
