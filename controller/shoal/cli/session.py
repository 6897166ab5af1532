"""What every verb has at hand: the invocation and, once asked for, a client."""

import dataclasses
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from shoal.cli.invocation import Invocation, Output
from shoal.contract.problem import ProblemError

if TYPE_CHECKING:
    from shoal.client.client import Client

# How long one answer may take where --timeout says nothing.
ANSWER_S = 30.0


class Session:
    """One run of the program; closes the client's connections at its end."""

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        self._client: Client | None = None

    @property
    def output(self) -> Output:
        """How data is to be printed."""
        return self.invocation.output

    @property
    def client(self) -> "Client":
        """The client of the chosen controller, made at first use: httpx is slow to import."""
        if self._client is None:
            from shoal.client.client import Client

            self._client = Client(self.invocation.server, timeout_s=self._answer_s())
        return self._client

    def add_done(self, error: ProblemError, done: Sequence[str]) -> None:
        """Lets `error`, which ends a command, tell what was done where that is not printed yet."""
        if done and self.output in {Output.JSON, Output.YAML}:
            message = f"{error.problem.message} (done before that: {', '.join(done)})"
            error.problem = dataclasses.replace(error.problem, message=message)

    def _answer_s(self) -> float:
        return max(0.001, min(self.invocation.timeout_s or ANSWER_S, ANSWER_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            self._client.close()
