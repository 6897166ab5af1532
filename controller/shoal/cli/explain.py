"""`shoal explain`: what the fields of manifests mean; needs no controller."""

import dataclasses
import json
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from shoal.cli import printing
from shoal.cli.invocation import Output
from shoal.cli.session import Session

if TYPE_CHECKING:
    from shoal.resources.explaining import Explanation, Field

_COLUMNS = 78


def command(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="KIND[.PATH]")],
) -> None:
    """Document a kind or one of its fields; exit 2 where there is none of that name.

    Example: shoal explain deployment.spec.strategy.gates
    """
    from shoal.resources import explaining

    session: Session = context.obj
    explanation = explaining.explain(what)
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(_plain(explanation), session.output)
    elif session.output is Output.NAME:
        for field in explanation.fields:
            printing.line(".".join(filter(None, (what, field.name))))
    else:
        _print(explanation)


def _plain(explanation: "Explanation") -> object:
    return json.loads(json.dumps(dataclasses.asdict(explanation)))


def _print(explanation: "Explanation") -> None:
    title = ".".join(filter(None, (explanation.kind, explanation.path)))
    printing.line(f"{printing.heading(title)}  <{explanation.type}>")
    _paragraph(explanation.description, "  ")
    if explanation.fields:
        printing.line()
    for field in explanation.fields:
        first, *rest = printing.wrapped(
            f"{field.name}  {_remarks(field)}", "  ", "      ", _COLUMNS
        )
        printing.line(first.replace(field.name, printing.heading(field.name), 1))
        for text in rest:
            printing.line(text)
        _paragraph(field.description, "      ")


def _remarks(field: "Field") -> str:
    parts = [f"<{field.type}>"]
    if field.required:
        parts.append("required")
    elif field.default not in (None, [], {}) and not field.has_fields:
        parts.append(f"default {json.dumps(field.default, ensure_ascii=False)}")
    return " ".join(parts)


def _paragraph(text: str, indent: str) -> None:
    printing.line(textwrap.fill(text, _COLUMNS, initial_indent=indent, subsequent_indent=indent))
