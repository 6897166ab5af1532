"""Guard 9: the wave is unfinished: let devices start within window, rate and maxUnavailable."""

from shoal.controller.planning import allocating
from shoal.controller.planning.decisions import Decision
from shoal.controller.planning.view import View


def decide(view: View) -> Decision | None:
    """Settle while a reachable device of a wave has not finished."""
    if not view.running or not any(one.judging and one.unfinished for one in view.open):
        return None
    return allocating.settled(view)
