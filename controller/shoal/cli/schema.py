"""`shoal schema`: JSON Schema of a kind, for editors that complete and check manifests."""

from typing import Annotated

import typer

from shoal.cli import printing
from shoal.cli.invocation import Output
from shoal.cli.session import Session


def command(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND")],
) -> None:
    """Print the JSON Schema of a kind; needs no controller.

    Example: shoal schema deployment > deployment.schema.json
    """
    from shoal.resources import explaining

    session: Session = context.obj
    output = Output.YAML if session.output is Output.YAML else Output.JSON
    printing.document(explaining.schema(kind), output)
