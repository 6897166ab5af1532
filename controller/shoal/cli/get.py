"""`shoal get`: list resources of a kind, or show some by name."""

from typing import TYPE_CHECKING, Annotated

import typer

from shoal.cli import columns, facts, printing, showing, targets
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.client.resources import Change, Scope


_PAGE = 500


def command(
    context: typer.Context,
    what: Annotated[list[str], typer.Argument(metavar="KIND [NAME]...")],
    selector: Annotated[
        str | None, typer.Option("-l", "--selector", help="labels: a=b,c!=d")
    ] = None,
    fields: Annotated[
        str | None, typer.Option("--field-selector", help="status.profile=small, spec.model!=a")
    ] = None,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="go on with every change")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="the first so many")] = None,
    token: Annotated[str | None, typer.Option("--continue", help="those after a page")] = None,
) -> None:
    """List resources of a kind, or show some by name.

    Events come with the newest last. Long lists are read page by page; --limit shows one page,
    whose end names the next one's --continue. -w goes on until Ctrl-C, or until --timeout with
    exit 5.

    Example: shoal get devices -l tier=small -o wide
    """
    from shoal.client import kinds
    from shoal.client.resources import Scope

    session: Session = context.obj
    target = targets.parse(what)
    scope = Scope(namespace=session.invocation.namespace, selector=selector, fields=fields)
    paged, chosen = limit is not None or token is not None, selector or fields
    if watch and paged:
        raise _at_odds("-w goes on for ever, and --limit and --continue are of one page")
    if target.names and (chosen or paged):
        raise _at_odds("names say already what is shown")
    if watch:
        _watch(session, target, scope)
    elif target.names:
        namespace = session.invocation.one_namespace
        found = [session.client.resources.get(target.kind, namespace, one) for one in target.names]
        if len(found) == 1:
            showing.one(session, found[0])
        else:
            showing.many(session, found)
    elif paged:
        page = session.client.resources.some(target.kind, scope, limit=limit or _PAGE, token=token)
        showing.many(session, page.items, following=page.following)
    elif target.kind is kinds.EVENT:
        listing = session.client.resources.list(target.kind, scope)
        showing.many(session, facts.newest_last(listing.items))
    else:
        showing.pages(session, session.client.resources.pages(target.kind, scope))


def _at_odds(message: str) -> InvalidError:
    hint = "leave one of the two out"
    return InvalidError(Problem(reason=Reason.INVALID, message=message, hint=hint))


def _watch(session: Session, target: targets.Target, scope: "Scope") -> None:
    from shoal.client import following

    stream = following.changes(
        session.client.resources,
        target.kind,
        scope,
        following.Deadline.after(session.invocation.timeout_s),
    )
    shown = columns.chosen(
        target.kind.name,
        wide=session.output is Output.WIDE,
        all_namespaces=session.invocation.namespace is None,
    )
    table = printing.Stream(["CHANGE", *(column.title for column in shown)], first="MODIFIED")
    for change in stream:
        if target.names and change.resource["metadata"]["name"] not in target.names:
            continue
        if session.output in {Output.TABLE, Output.WIDE}:
            table.add([change.kind, *(column.read(change.resource) for column in shown)])
        else:
            _show(session.output, change)


def _show(output: Output, change: "Change") -> None:
    if output is Output.JSON:
        printing.record({"type": change.kind, "object": change.resource})
    elif output is Output.YAML:
        printing.line("---")
        printing.document(change.resource, output)
    else:
        printing.line(showing.name(change.resource))
