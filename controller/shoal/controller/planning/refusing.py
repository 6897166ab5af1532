"""How a verb is refused: what stands in its way, and the next step."""

from shoal.contract.problem import ConflictError, Problem
from shoal.contract.reason import Reason


def conflict(reason: Reason, message: str, hint: str) -> ConflictError:
    """The refusal of a verb in the state that the rollout is in."""
    return ConflictError(Problem(reason=reason, message=message, hint=hint))
