"""What can go wrong in the agent.

ProblemError (shoal.contract.problem)
├── UnreachableError
│   └── LinkError      the controller did not answer; the caller retries
├── FailedError
│   ├── EngineError    the engine could not load, switch or answer
│   ├── ProbeError     the candidate did not pass the check on this device
│   └── StageError     bytes on this device are not what they should be
└── ConflictError
    └── StateInUseError  another agent runs on this state folder

Each carries its reason, a sentence and, through its problem, the shape that programs print.
"""

from pathlib import Path

from shoal.contract.problem import ConflictError, FailedError, Problem, UnreachableError
from shoal.contract.reason import Reason
from shoal.contract.report import PreflightResult


class LinkError(UnreachableError):
    """The controller was not reached, did not answer in time, or has no such artifact.

    `reason` is NOT_FOUND where the controller answered that it does not have the artifact.
    """

    def __init__(self, message: str, reason: Reason = Reason.UNREACHABLE) -> None:
        super().__init__(Problem(reason=reason, message=message))
        self.reason = reason
        self.message = message


class EngineError(FailedError):
    """The engine process refused or died: LOAD_FAILED, CRASHED, TIMED_OUT or NOT_FOUND."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(Problem(reason=reason, message=message))
        self.reason = reason
        self.message = message


class ProbeError(FailedError):
    """The candidate failed its preflight; `result` holds the numbers where there are any.

    PARITY_FAILED, LATENCY_EXCEEDED and MEMORY_EXCEEDED refuse the candidate; LOAD_FAILED, CRASHED
    and TIMED_OUT mean that it did not even run.
    """

    def __init__(self, reason: Reason, message: str, result: PreflightResult | None = None) -> None:
        super().__init__(Problem(reason=reason, message=message))
        self.reason = reason
        self.message = message
        self.result = result


class StageError(FailedError):
    """An artifact did not become a complete blob, or no longer is one.

    DIGEST_MISMATCH, NOT_FOUND, DISK_FULL or FETCH_FAILED.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(Problem(reason=reason, message=message))
        self.reason = reason
        self.message = message


class StateInUseError(ConflictError):
    """Two agents on one state folder would undo each other's work."""

    def __init__(self, state: Path) -> None:
        super().__init__(
            Problem(
                reason=Reason.CONFLICT,
                message=f"another shoal-agent runs on {state}",
                hint="stop it first, or give this one a folder of its own with --state",
            )
        )
