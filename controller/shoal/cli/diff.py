"""`shoal diff`: how manifests differ from what the controller holds; exit 0 same, 1 differs."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from shoal.cli import alterations, evidence, forecasts, printing, proposals, showing
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import ExitCode

_NAMED = 10  # devices on a line; -o json has them all


def command(
    context: typer.Context,
    sources: proposals.Sources,
    force: Annotated[
        bool, typer.Option("--force", help="as if fields were taken over from other users")
    ] = False,
    yes: proposals.Yes = False,
) -> None:
    """Show the fields that apply would change and the devices affected: exit 0 same, 1 differs.

    Example: shoal diff -f examples/digits
    """
    session: Session = context.obj
    plan = proposals.planned(session, sources, yes=yes, force=force)
    differing = [one for one in plan["resources"] if one["result"] != "unchanged"]
    affected = list(forecasts.changed(plan["items"])) if differing else []
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(_document(plan, affected), session.output)
    else:
        for one in differing:
            _say(one, names_only=session.output is Output.NAME)
        if session.output is not Output.NAME and differing:
            printing.line(_devices(affected))
            for one in _coming(plan):
                printing.line(forecasts.follows(one))
    raise typer.Exit(ExitCode.FAILED if differing else ExitCode.DONE)


def _coming(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one["follows"] for one in plan["items"] if one["follows"]]


def _document(
    plan: Mapping[str, Any], affected: list[tuple[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    names = ("device", "change", "current", "variant")
    return {
        "items": [
            {
                "kind": one["object"]["kind"],
                "namespace": one["object"]["metadata"]["namespace"],
                "name": one["object"]["metadata"]["name"],
                "result": one["result"],
                "changes": one["changes"],
            }
            for one in plan["resources"]
        ],
        "devices": [
            {"deployment": deployment, **{name: device[name] for name in names}}
            for deployment, device in affected
        ],
        "follows": [
            {"deployment": one["deployment"], **one["follows"]}
            for one in plan["items"]
            if one["follows"]
        ],
        "continue": None,
    }


def _say(resource: Mapping[str, Any], *, names_only: bool) -> None:
    name = showing.name(resource["object"])
    if names_only:
        printing.line(name)
        return
    printing.line(f"{name} {printing.status(resource['result'])}")
    for one in resource["changes"]:
        for text in alterations.lines(one["field"], one["from"], one["to"]):
            printing.line(f"  {text}")


def _devices(affected: list[tuple[str, Mapping[str, Any]]]) -> str:
    names = [f"{device['device']} ({device['change']})" for _, device in affected]
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"affects {evidence.count(len(names), 'device')}" + (f": {shown}{more}" if names else "")
