"""`shoal plan`: what applying manifests would do to every device; nothing is written."""

from typing import Annotated

import typer

from shoal.cli import forecasts, printing, proposals
from shoal.cli.invocation import Output
from shoal.cli.session import Session


def command(
    context: typer.Context,
    sources: proposals.Sources,
    force: Annotated[
        bool, typer.Option("--force", help="as if fields were taken over from other users")
    ] = False,
    yes: proposals.Yes = False,
) -> None:
    """Per device: its variant, what that may fall to, bytes to move, and what stands in the way.

    Example: shoal plan -f examples/digits

    It is the controller's own planner that answers, on the fleet as it is now.
    """
    session: Session = context.obj
    plan = proposals.planned(session, sources, yes=yes, force=force)
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(plan, session.output)
    elif session.output is Output.NAME:
        for _, device in forecasts.changed(plan["items"]):
            printing.line(f"device/{device['device']}")
    else:
        for text in forecasts.lines(plan):
            printing.prose(text)
        forecasts.table(plan["items"], wide=session.output is Output.WIDE)
