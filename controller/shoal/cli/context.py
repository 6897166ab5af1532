"""`shoal context`: names for controllers, and which one is spoken to."""

from typing import Annotated, Any

import typer

from shoal.cli import contexts, facts, printing
from shoal.cli.contexts import Context, Contexts
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

app = typer.Typer(
    name="context",
    help="Name controllers, and choose the one to speak to.\n\n"
    "Example: shoal context set lab --server http://10.0.0.5:8470 --use",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_Name = Annotated[str, typer.Argument(metavar="NAME")]


@app.command("list")
def list_all(context: typer.Context) -> None:
    """List the contexts; a star marks the current one.

    Example: shoal context list
    """
    _show(context.obj, contexts.load())


@app.command()
def show(context: typer.Context) -> None:
    """Show which controller a command would speak to, and why.

    Example: shoal context show
    """
    session: Session = context.obj
    asked = session.invocation
    told = {
        "server": asked.server,
        "namespace": asked.namespace,
        "context": asked.context,
        "because": asked.because,
    }
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(told, session.output)
    elif session.output is Output.NAME:
        printing.line(f"context/{asked.context}" if asked.context else asked.server)
    else:
        printing.table(
            ("SERVER", "NAMESPACE", "CONTEXT", "BECAUSE OF"),
            [[facts.plain(one) for one in told.values()]],
            wide=session.output is Output.WIDE,
        )


@app.command("set")
def set_one(
    context: typer.Context,
    name: _Name,
    use: Annotated[bool, typer.Option("--use", help="make it the current one")] = False,
) -> None:
    """Add or change a context: its --server, and -n for its namespace.

    Example: shoal context set lab --server http://10.0.0.5:8470 -n edge --use
    """
    session: Session = context.obj
    asked, before = session.invocation, contexts.load()
    known = before.known.get(name)
    server = asked.given_server or (known.server if known else None)
    if server is None:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"the context {name} needs an address",
                field="--server",
                hint=f"shoal context set {name} --server http://HOST:8470",
            )
        )
    namespace = asked.given_namespace or (known.namespace if known else None)
    made = Context(name=name, server=_checked(server), namespace=namespace)
    after = before.having(made)
    after = after.using(name) if use else after
    contexts.save(after)
    _tell(session, after, name, "set")


@app.command()
def use(context: typer.Context, name: _Name) -> None:
    """Make a context the current one.

    Example: shoal context use lab
    """
    after = contexts.load().using(name)
    contexts.save(after)
    _tell(context.obj, after, name, "is now the current one")


@app.command()
def delete(context: typer.Context, name: _Name) -> None:
    """Forget a context; the controller itself is not touched.

    Example: shoal context delete lab
    """
    before = contexts.load()
    contexts.save(before.without(name))
    _tell(context.obj, before, name, "forgotten")


def _checked(server: str) -> str:
    from shoal.client.client import Client

    with Client(server) as client:
        return client.server


def _tell(session: Session, known: Contexts, name: str, what: str) -> None:
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(_row(known, known.named(name)), session.output)
    elif session.output is Output.NAME:
        printing.line(f"context/{name}")
    else:
        printing.line(f"context/{name} {what}")


def _row(known: Contexts, one: Context) -> dict[str, Any]:
    return {
        "name": one.name,
        "server": one.server,
        "namespace": one.namespace,
        "current": one.name == known.current,
    }


def _show(session: Session, known: Contexts) -> None:
    rows = [_row(known, known.known[name]) for name in sorted(known.known)]
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"items": rows, "continue": None}, session.output)
    elif session.output is Output.NAME:
        for row in rows:
            printing.line(f"context/{row['name']}")
    elif not rows:
        printing.note("no context yet; `shoal context set NAME --server URL` makes one")
    else:
        printing.table(
            ("CURRENT", "NAME", "SERVER", "NAMESPACE"),
            [
                [
                    "*" if row["current"] else "",
                    row["name"],
                    row["server"],
                    facts.plain(row["namespace"]),
                ]
                for row in rows
            ],
            wide=session.output is Output.WIDE,
        )
