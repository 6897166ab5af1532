"""`shoal schema`: JSON Schema of a kind, for editors that complete and check manifests."""

from typing import Annotated

import typer

from shoal.cli import printing
from shoal.cli.invocation import Output
from shoal.cli.session import Session

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def command(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND")],
) -> None:
    """Print the JSON Schema of a kind; needs no controller.

    Example: shoal schema deployment > deployment.schema.json
    """
    from shoal.resources import kinds

    session: Session = context.obj
    model = kinds.KINDS[kinds.find_kind(kind)]
    schema = {"$schema": _DIALECT, **model.model_json_schema(by_alias=True)}
    output = Output.YAML if session.output is Output.YAML else Output.JSON
    printing.document(schema, output)
