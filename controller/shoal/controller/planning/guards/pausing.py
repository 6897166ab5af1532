"""Guard 6: while paused nothing new starts; running devices finish, and a return goes on."""

from shoal.contract.reason import Reason
from shoal.controller.planning import pacing
from shoal.controller.planning.decisions import Decision, Settled
from shoal.controller.planning.view import View


def decide(view: View) -> Decision | None:
    """Settle while the operator's pause lasts."""
    if view.record.paused_at is None or view.returning:
        return None
    return Settled(reason=Reason.PAUSED, message=pacing.paused_message(view.record))
