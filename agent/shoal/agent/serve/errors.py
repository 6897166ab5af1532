"""What can go wrong inside the engine.

EngineError (shoal.agent.errors)   told to the supervisor with its reason
└── LoadError      a model cannot be loaded, or does not run
RequestError       told to a client, with the HTTP status of its answer
"""

from shoal.agent.errors import EngineError
from shoal.contract.reason import Reason


class LoadError(EngineError):
    """A model cannot be loaded, or does not run."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.LOAD_FAILED, message)


class RequestError(Exception):
    """A request that is answered with an error; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
