"""`shoal device`: what operators decide of devices."""

from typing import Annotated

import typer

from shoal.cli import confirming, printing, showing
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import ProblemError

app = typer.Typer(
    name="device",
    help="Approve, revoke and drain devices.\n\nExample: shoal device approve cam-1",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_Names = Annotated[list[str], typer.Argument(metavar="NAME...")]
_Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]


@app.command()
def approve(context: typer.Context, names: _Names) -> None:
    """Let devices have work: those that wait for it, and drained ones.

    Example: shoal device approve cam-1 cam-2
    """
    _decide(context.obj, names, "approve")


@app.command()
def revoke(context: typer.Context, names: _Names, yes: _Yes = False) -> None:
    """End the credentials of devices for good.

    Their connections end at once. What runs on them keeps running, unseen. To come back, a device
    is deleted and enrolled anew.

    Example: shoal device revoke cam-1
    """
    confirming.agree("revoking", lambda: len(names), yes=yes)
    _decide(context.obj, names, "revoke")


@app.command()
def drain(context: typer.Context, names: _Names, yes: _Yes = False) -> None:
    """Take the work of devices away; `approve` gives it back.

    Example: shoal device drain cam-1
    """
    confirming.agree("draining", lambda: len(names), yes=yes)
    _decide(context.obj, names, "drain")


def _decide(session: Session, names: list[str], word: str) -> None:
    from shoal.client.devices import Verb

    devices = session.client.devices
    namespace = session.invocation.one_namespace
    done: list[Resource] = []
    for written in names:
        name = written.rpartition("/")[2]
        try:
            done.append(devices.decide(namespace, name, Verb(word)))
        except ProblemError as error:
            session.add_done(error, [f"{showing.name(one)} {_SAID[word]}" for one in done])
            raise
        if session.output in {Output.TABLE, Output.WIDE}:
            printing.line(f"device/{name} {_SAID[word]}")
    if session.output in {Output.TABLE, Output.WIDE}:
        return
    if len(done) == 1:
        showing.one(session, done[0])
    else:
        showing.many(session, done)


_SAID = {"approve": "approved", "revoke": "revoked", "drain": "drained"}
