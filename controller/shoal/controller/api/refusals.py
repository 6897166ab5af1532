"""Conflicts of writes, in words: who else wants a field, what moved on, what is going away."""

from collections.abc import Sequence

from shoal.contract.problem import ConflictError, Problem
from shoal.contract.reason import Reason
from shoal.controller.api.merging import Path, Taken
from shoal.controller.api.racing import SettledError
from shoal.controller.store.port import Record
from shoal.resources.fields import text_of


class FieldsTakenError(SettledError):
    """Others have given fields other values; one problem for each field."""

    def __init__(self, taken: Sequence[Taken]) -> None:
        self.problems = [_problem(one) for one in taken]
        super().__init__(self.problems[0])


def stale(current: Record, version: str) -> ConflictError:
    """The caller read an older version; only the caller can read again."""
    return SettledError(
        Problem(
            reason=Reason.CONFLICT,
            message=f"{current.kind} {current.name} is not at version {version}: "
            f"it is at {current.resource_version}",
            hint="read it again and repeat the change",
        )
    )


def leaving(kind: str, name: str) -> ConflictError:
    """The resource is on its way out."""
    return SettledError(
        Problem(
            reason=Reason.CONFLICT,
            message=f"{kind} {name} is being deleted",
            hint="wait until it is gone, then create it again",
        )
    )


def in_use(model: Record, users: Sequence[str]) -> ConflictError:
    """Deployments still run the Model."""
    return SettledError(
        Problem(
            reason=Reason.CONFLICT,
            message=f"Model {model.name} is in use by {', '.join(users)}",
            hint=f"first: shoal delete deployment {' '.join(users)}; or delete them with it: "
            f"shoal delete model {model.name} --cascade",
        )
    )


def _problem(one: Taken) -> Problem:
    where = _text(one.path)
    claimed = where if one.theirs == one.path else f"{where} (as {_text(one.theirs)})"
    return Problem(
        reason=Reason.CONFLICT,
        message=f"{claimed} has another value since {one.user} applied it at {one.time}",
        field=where,
        hint=f"leave it out, agree with {one.user}, or take it over with --force",
    )


def _text(path: Path) -> str:
    return text_of(path if path[0] == "spec" else ("metadata", *path))
