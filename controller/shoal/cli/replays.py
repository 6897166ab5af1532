"""The kept decisions of a rollout, decided again by the controller and compared byte for byte."""

from collections.abc import Mapping
from typing import Any

import typer

from shoal.cli import facts, printing
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import ExitCode

Part = Mapping[str, Any]


def show(session: Session, name: str) -> None:
    """Print every kept decision and whether it was decided so again.

    Exit 1 where the code that took a decision decides otherwise now. What other code took may well
    be decided otherwise, and is counted.
    """
    namespace = session.invocation.one_namespace
    found = list(session.client.decisions.replayed(namespace, name))
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"items": found, "continue": None}, session.output)
    elif session.output is Output.NAME:
        for one in found:
            printing.line(str(one["number"]))
    elif not found:
        printing.note(f"no decision of {name} is kept yet")
    else:
        rows = [[*_row(one), _verdict(one)] for one in found]
        titles = ["DECISION", "AGE", "REVISION", "RESULT", "REASON", "TOLD", "REPLAY"]
        printing.table(titles, rows, wide=session.output is Output.WIDE)
    _judge([one for one in found if one["replay"] is not None])


def _judge(replayed: list[Part]) -> None:
    """Say what differs, apart from what another version took."""
    own = [one for one in replayed if one["replay"]["sameCode"]]
    foreign = [one for one in replayed if not one["replay"]["sameCode"]]
    if foreign:
        differing = sum(not one["replay"]["same"] for one in foreign)
        printing.note(f"taken by another version: {differing} of {len(foreign)} differ")
    wrong = [one for one in own if not one["replay"]["same"]]
    for one in wrong:
        printing.note(f"decision {one['number']}: {one['replay']['difference']}")
    if wrong:
        raise typer.Exit(ExitCode.FAILED)


def _row(decision: Part) -> list[str]:
    return [
        str(decision["number"]),
        facts.age(decision["time"]),
        facts.plain(decision["revision"]),
        facts.plain(decision["result"]),
        facts.plain(decision["reason"]),
        facts.plain(decision["toldDevices"]),
    ]


def _verdict(decision: Part) -> str:
    """`same` or `differs`, and whether other code took it; or that only the facts are left."""
    replay = decision["replay"]
    if replay is None:
        return "inputs gone"
    verdict = "same" if replay["same"] else "differs"
    return verdict if replay["sameCode"] else f"{verdict}, other version"
