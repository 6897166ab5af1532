"""A resource that is not there, answered with the nearest name that is."""

import contextlib
import difflib
from dataclasses import replace

from shoal.cli.session import Session
from shoal.client import kinds
from shoal.client.errors import AbsentError
from shoal.client.resources import Scope
from shoal.contract.problem import NotFoundError, ProblemError

_LOOKED_AT = 2_000  # names at most, so that a misspelling in a large fleet costs no second


def hinted(session: Session, error: AbsentError) -> NotFoundError:
    """`error` with what may have been meant; as it is where it has a hint, or nobody answers."""
    if error.problem.hint is not None:
        return error
    item, names = error.item, []
    with contextlib.suppress(ProblemError):
        scope = Scope(namespace=item.namespace)
        found = session.client.resources.some(kinds.named(item.plural), scope, limit=_LOOKED_AT)
        names = [str(one["metadata"]["name"]) for one in found.items]
    near = difflib.get_close_matches(item.name, names, n=1)
    listed = f"`shoal get {item.plural} -n {item.namespace}` lists what there is"
    return NotFoundError(
        replace(error.problem, hint=f"did you mean {near[0]}?" if near else listed)
    )
