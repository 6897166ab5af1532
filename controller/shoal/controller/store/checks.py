"""The refusals of a write, in the same words on every backend."""

from shoal.contract.problem import ConflictError, NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.store.port import Delete, Write


def missing(kind: str, namespace: str, name: str) -> NotFoundError:
    """The error for a record that is not there."""
    where = f" in namespace {namespace}" if namespace else ""
    return NotFoundError(
        Problem(reason=Reason.NOT_FOUND, message=f"{kind} {name} does not exist{where}")
    )


def check(write: Write, current: int | None) -> None:
    """Hold the version that a write expects against the one that is there (None: nothing is).

    Raises:
        ConflictError: they differ.
        NotFoundError: a delete of any version found nothing.
    """
    if isinstance(write, Delete) and write.expected is None:
        if current is None:
            raise missing(write.kind, write.namespace, write.name)
        return
    if current == write.expected:
        return
    if write.expected is None:
        raise ConflictError(
            Problem(
                reason=Reason.ALREADY_EXISTS,
                message=f"{write.kind} {write.name} exists already",
                hint="read it and write over its resourceVersion, or choose another name",
            )
        )
    found = "it is gone" if current is None else f"it is at {current}"
    raise ConflictError(
        Problem(
            reason=Reason.CONFLICT,
            message=f"{write.kind} {write.name} is not at version {write.expected}: {found}",
            hint="read it again and repeat the change",
        )
    )
