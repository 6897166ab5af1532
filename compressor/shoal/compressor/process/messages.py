"""What a worker tells its supervisor: one JSON object a line.

{"tell": text}                       a line of progress
{"best": text}                       the best candidate so far
{"problem": {…}, "exit_code": n}     it ended in an error that the user can act on
{"done": true}                       the report is written
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TextIO

from shoal.compressor.errors import StoppedError
from shoal.contract.problem import (
    FailedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    Problem,
    ProblemError,
)

# The exit code of a worker without memory for its next step, which says nothing more: another one,
# which finds everything so far in the cache, needs less.
OUT_OF_MEMORY: Final = 86

_CLASSES: Final[dict[int, type[ProblemError]]] = {
    one.exit_code: one
    for one in (FailedError, ForbiddenError, InvalidError, NotFoundError, StoppedError)
}


class Teller:
    """The worker's progress, as messages; every line is flushed, as the next step may be fatal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def tell(self, text: str) -> None:
        """One line of progress."""
        self._send({"tell": text})

    def best(self, text: str) -> None:
        """The best candidate so far."""
        self._send({"best": text})

    def fail(self, problem: Problem, exit_code: int) -> None:
        """The last message of a worker that found an error."""
        self._send({"problem": problem.to_json(), "exit_code": exit_code})

    def done(self) -> None:
        """The last message of a worker whose report is written."""
        self._send({"done": True})

    def _send(self, message: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(message) + "\n")
        self._stream.flush()


def told_error(message: Mapping[str, Any]) -> ProblemError:
    """The error in a `problem` message, in the class that its exit code names."""
    return _CLASSES[message["exit_code"]](Problem(**message["problem"]))
