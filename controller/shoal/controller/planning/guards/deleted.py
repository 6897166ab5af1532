"""Guard 1: a deleted deployment takes its assignments back and does nothing else."""

from shoal.contract.reason import Reason
from shoal.controller.planning.decisions import Decision, Settled
from shoal.controller.planning.view import View


def decide(view: View) -> Decision | None:
    """Settle where the deployment is being deleted."""
    if not view.snapshot.deleted:
        return None
    return Settled(reason=Reason.DELETED, message="the deployment is being deleted")
