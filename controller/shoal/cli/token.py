"""`shoal token create`: a join token for devices."""

from typing import Annotated

import typer

from shoal.cli import printing
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

app = typer.Typer(
    name="token",
    help="Make join tokens for devices.\n\nExample: shoal token create --uses 9",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def group() -> None:
    """Make join tokens for devices."""


@app.command()
def create(
    context: typer.Context,
    ttl: Annotated[str, typer.Option(help="how long it works")] = "1h",
    uses: Annotated[int, typer.Option(min=1, help="how many devices may use it")] = 1,
    labels: Annotated[str, typer.Option(help="labels of its devices: a=b,c=d")] = "",
    approve: Annotated[str, typer.Option(help="auto, or manual to approve each device")] = "auto",
) -> None:
    """Print one join token. It is shown only now.

    Example: shoal token create --ttl 24h --uses 9 --labels tier=small
    """
    from shoal.client.client import TokenRequest

    session: Session = context.obj
    wanted = TokenRequest(ttl=ttl, uses=uses, labels=_labels(labels), approve=approve)
    made = session.client.create_token(wanted)
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(made, session.output)
    else:
        printing.line(made["token"])


def _labels(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    if wrong := [key for key, equals, _value in pairs if not equals or not key]:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"--labels: {wrong[0]!r} is not KEY=VALUE",
                hint="for example --labels tier=small,site=north",
            )
        )
    return {key: value for key, _equals, value in pairs}
