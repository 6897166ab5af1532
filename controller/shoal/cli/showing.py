"""Resources in the output that was asked for."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from shoal.cli import columns, printing
from shoal.cli.columns import Column
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.session import Session

if TYPE_CHECKING:
    from shoal.client.resources import Listing


def one(session: Session, resource: Resource) -> None:
    """Prints one resource."""
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(resource, session.output)
    else:
        _plain(session, [resource])


def many(session: Session, resources: Sequence[Resource], following: str | None = None) -> None:
    """Prints a list of resources of one kind; an empty table says so on stderr.

    `following` is the token of the next page where this is not the last one.
    """
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"items": list(resources), "continue": following}, session.output)
    elif not resources and session.output is not Output.NAME:
        where = session.invocation.namespace
        printing.note(f"nothing found in {f'namespace {where}' if where else 'any namespace'}")
    else:
        _plain(session, resources)
        if following is not None:
            printing.note(f"there is more: --continue {following}")


def pages(session: Session, found: "Iterator[Listing]") -> None:
    """Prints a whole list; each page becomes rows while the next one is on its way."""
    if session.output is not Output.TABLE and session.output is not Output.WIDE:
        many(session, [item for page in found for item in page.items])
        return
    shown: Sequence[Column] = ()
    rows: list[list[str]] = []
    for page in found:
        if page.items and not rows:
            shown = _columns(session, page.items[0]["kind"])
        rows += _rows(shown, page.items)
    if rows:
        titles = [column.title for column in shown]
        printing.table(titles, rows, wide=session.output is Output.WIDE)
    else:
        many(session, [])


def _columns(session: Session, kind: str) -> Sequence[Column]:
    return columns.chosen(
        kind,
        wide=session.output is Output.WIDE,
        all_namespaces=session.invocation.namespace is None,
    )


def _rows(shown: Sequence[Column], resources: Sequence[Resource]) -> list[list[str]]:
    return [[column.read(resource) for column in shown] for resource in resources]


def _plain(session: Session, resources: Sequence[Resource]) -> None:
    if session.output is Output.NAME:
        for resource in resources:
            printing.line(name(resource))
        return
    if not resources:
        return
    shown = _columns(session, resources[0]["kind"])
    titles = [column.title for column in shown]
    wide = session.output is Output.WIDE
    printing.table(titles, _rows(shown, resources), wide=wide)


def name(resource: Resource) -> str:
    """`device/cam-1`, as the other verbs accept it."""
    return f"{resource['kind'].lower()}/{resource['metadata']['name']}"
