"""`shoal wait`: until a condition of one resource holds, or it is gone."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli import facts, printing, showing, targets
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, NotFoundError, Problem, UnreachableError
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.client.kinds import Kind

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
    is_met = _goal(kind, goal)
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


def _goal(kind: "Kind", text: str) -> Callable[[Resource], bool]:
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
    if not _told_of(kind):
        raise _unknown(f"{kind.plural} have no conditions", "wait for its end with --for delete")

    def is_met(resource: Resource) -> bool:
        condition = facts.condition(resource, name)
        # Before the first pass there is none; from then on all of them are told, always.
        if not condition and (known := [one["type"] for one in _conditions(resource)]):
            from shoal.resources import words

            message = f"{kind.plural} have no condition {name}"
            raise _unknown(message, words.suggestion(name, known))
        generation = facts.at(resource, "metadata.generation")
        observed = condition.get("observedGeneration", generation)
        return condition.get("status") == (wanted or "True") and observed == generation

    return is_met


def _told_of(kind: "Kind") -> bool:
    """Whether resources of this kind have conditions."""
    from shoal.resources import explaining

    status = explaining.explain(f"{kind.name}.status").fields
    return any(field.name == "conditions" for field in status)


def _conditions(resource: Resource) -> Sequence[Mapping[str, Any]]:
    return facts.at(resource, "status.conditions") or []


def _unknown(message: str, hint: str) -> InvalidError:
    return InvalidError(Problem(reason=Reason.INVALID, message=message, field="--for", hint=hint))


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
