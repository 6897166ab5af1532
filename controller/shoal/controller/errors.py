"""The controller's own errors; everything else is raised as in `shoal.contract.problem`.

ProblemError
└── ConflictError
    └── GoneError      the history asked for is no longer kept   HTTP 410
"""

from shoal.contract.problem import ConflictError, Problem
from shoal.contract.reason import Reason


class GoneError(ConflictError):
    """The changes after this version are no longer kept: list again and watch from there."""

    def __init__(self, since: int) -> None:
        super().__init__(
            Problem(
                reason=Reason.GONE,
                message=f"changes since version {since} are no longer kept",
                hint="list again and watch from the version of that list",
            )
        )
