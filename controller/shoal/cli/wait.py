"""`shoal wait`: until a condition of one resource holds, or it is gone."""

from collections.abc import Callable
from typing import Annotated

import typer

from shoal.cli import facts, printing, showing, targets
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, NotFoundError, Problem, UnreachableError
from shoal.contract.reason import Reason

_PATIENCE_S = 60.0


def command(
    context: typer.Context,
    what: Annotated[list[str], typer.Argument(metavar="KIND NAME")],
    goal: Annotated[
        str, typer.Option("--for", help="condition=NAME[=True|False|Unknown], or delete")
    ] = "condition=Ready",
) -> None:
    """Wait until a condition holds (--timeout, default 60s: exit 5 when it passes).

    Example: shoal wait device cam-1 --for condition=Ready --timeout 60s
    """
    from shoal.client import following

    session: Session = context.obj
    kind, name = targets.exactly_one(what, "wait")
    is_met = _goal(goal)
    key = (session.invocation.one_namespace, name)
    timeout_s = session.invocation.timeout_s
    deadline = following.Deadline.after(_PATIENCE_S if timeout_s is None else timeout_s)
    last: Resource = {}
    try:
        for last in following.versions(session.client.resources, kind, key, deadline):
            if is_met(last):
                _report(session, last, goal)
                return
    except NotFoundError:
        if goal != "delete":
            raise
        gone = {"kind": kind.name, "namespace": key[0], "name": name}
        _report_gone(session, gone)
    except UnreachableError as error:
        raise _explained(error, last, goal) from error


def _goal(text: str) -> Callable[[Resource], bool]:
    if text == "delete":
        return lambda _resource: False
    word, _, rest = text.partition("=")
    name, _, wanted = rest.partition("=")
    if word != "condition" or not name:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"--for: {text!r} is neither condition=NAME nor delete",
                hint="for example --for condition=Ready",
            )
        )

    def is_met(resource: Resource) -> bool:
        condition = facts.condition(resource, name)
        generation = facts.at(resource, "metadata.generation")
        observed = condition.get("observedGeneration", generation)
        return condition.get("status") == (wanted or "True") and observed == generation

    return is_met


def _explained(error: UnreachableError, last: Resource, goal: str) -> UnreachableError:
    """The same error with what the resource said of the condition at the end."""
    condition = facts.condition(last, goal.split("=")[1] if "=" in goal else "")
    if not condition:
        return error
    said = f"{condition.get('type')} is {condition.get('status')}"
    why = ": ".join(str(condition[part]) for part in ("reason", "message") if condition.get(part))
    return UnreachableError(
        Problem(
            reason=error.problem.reason,
            message=f"{error.problem.message}; {said}{f' ({why})' if why else ''}",
            hint=error.problem.hint,
        )
    )


def _report(session: Session, resource: Resource, goal: str) -> None:
    if session.output in {Output.TABLE, Output.WIDE}:
        printing.line(f"{showing.name(resource)} {goal} met")
    else:
        showing.one(session, resource)


def _report_gone(session: Session, gone: dict[str, str]) -> None:
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"deleted": [gone]}, session.output)
    else:
        printing.line(f"{gone['kind'].lower()}/{gone['name']} deleted")
