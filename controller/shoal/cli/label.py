"""`shoal label`: set or remove labels of one resource."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli import printing, showing, targets
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import ConflictError, InvalidError, Problem
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.client.kinds import Kind

_ATTEMPTS = 5


def command(
    context: typer.Context,
    what: Annotated[list[str], typer.Argument(metavar="KIND NAME KEY=VALUE|KEY-...")],
) -> None:
    """Set labels with KEY=VALUE, remove them with KEY-.

    Example: shoal label device cam-1 tier=small old-
    """
    session: Session = context.obj
    words = [word for word in what if not _is_label(word)]
    changes = dict(_change(word) for word in what if _is_label(word))
    kind, name = targets.exactly_one(words, "label")
    if not changes:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message="no label was given",
                hint="KEY=VALUE sets one, KEY- removes one",
            )
        )
    resource = _write(session, kind, name, changes)
    if session.output in {Output.TABLE, Output.WIDE}:
        printing.line(f"{showing.name(resource)} labelled")
    else:
        showing.one(session, resource)


def _is_label(word: str) -> bool:
    return "=" in word or word.endswith("-")


def _change(word: str) -> tuple[str, str | None]:
    key, equals, value = word.partition("=")
    return (key, value) if equals else (word[:-1], None)


def _write(
    session: Session, kind: "Kind", name: str, changes: dict[str, str | None]
) -> dict[str, Any]:
    """Reads, changes and writes; again when somebody else wrote in between."""
    resources = session.client.resources
    for attempt in range(1, _ATTEMPTS + 1):
        resource = resources.get(kind, session.invocation.one_namespace, name)
        labels = {**resource["metadata"].get("labels", {}), **changes}
        resource["metadata"]["labels"] = {k: v for k, v in labels.items() if v is not None}
        try:
            return resources.put(kind, resource)
        except ConflictError:
            if attempt == _ATTEMPTS:
                raise
    raise RuntimeError("the last attempt returns or raises")
