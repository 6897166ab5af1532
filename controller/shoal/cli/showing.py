"""Resources in the output that was asked for."""

from collections.abc import Sequence

from shoal.cli import columns, printing
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.session import Session


def one(session: Session, resource: Resource) -> None:
    """Prints one resource."""
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(resource, session.output)
    else:
        _plain(session, [resource])


def many(session: Session, resources: Sequence[Resource]) -> None:
    """Prints a list of resources of one kind; an empty table says so on stderr."""
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"items": list(resources), "continue": None}, session.output)
    elif not resources and session.output is not Output.NAME:
        where = session.invocation.namespace
        printing.note(f"nothing found in {f'namespace {where}' if where else 'any namespace'}")
    else:
        _plain(session, resources)


def _plain(session: Session, resources: Sequence[Resource]) -> None:
    if session.output is Output.NAME:
        for resource in resources:
            printing.line(name(resource))
        return
    if not resources:
        return
    wide = session.output is Output.WIDE
    shown = columns.chosen(
        resources[0]["kind"], wide=wide, all_namespaces=session.invocation.namespace is None
    )
    rows = [[column.read(resource) for column in shown] for resource in resources]
    printing.table([column.title for column in shown], rows, wide=wide)


def name(resource: Resource) -> str:
    """`device/cam-1`, as the other verbs accept it."""
    return f"{resource['kind'].lower()}/{resource['metadata']['name']}"
