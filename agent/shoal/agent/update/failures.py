"""What a defect in running an effect is reported as, so that the life it belongs to goes on."""

from shoal.agent.core import events as ev
from shoal.agent.core.effects import (
    Activate,
    Answered,
    Fetch,
    Load,
    Observe,
    Probe,
    Remove,
    Restore,
    Survey,
)
from shoal.contract.reason import Reason

_Failure = ev.FetchFailed | ev.ProbeFailed | ev.LoadFailed | ev.ObserveFailed | ev.RestoreFailed


def failure(effect: Answered, error: Exception) -> _Failure | None:
    """The event that says so; None for effects that cannot fail and are repeated."""
    message = f"{type(error).__name__}: {error}"
    deployment, ticket, reason = effect.deployment, effect.ticket, Reason.INTERNAL
    match effect:
        case Fetch():
            return ev.FetchFailed(
                deployment=deployment,
                ticket=ticket,
                reason=reason,
                message=message,
                received_bytes=0,
            )
        case Probe():
            return ev.ProbeFailed(
                deployment=deployment, ticket=ticket, reason=reason, message=message
            )
        case Load() | Activate():
            return ev.LoadFailed(
                deployment=deployment, ticket=ticket, reason=reason, message=message
            )
        case Observe():
            return ev.ObserveFailed(
                deployment=deployment, ticket=ticket, reason=reason, message=message
            )
        case Restore():
            return ev.RestoreFailed(
                deployment=deployment, ticket=ticket, reason=reason, message=message
            )
        case Survey() | Remove():
            return None
