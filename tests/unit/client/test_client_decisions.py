"""A plan may take longer than other answers, and no longer than was asked for."""

import socket

import pytest

from shoal.client import Client
from shoal.contract.problem import UnreachableError


def test_a_plan_is_waited_for_as_long_as_it_was_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with (
            Client(f"http://127.0.0.1:{port}", timeout_s=600.0) as client,
            pytest.raises(UnreachableError, match=r"did not answer within 0\.1 s") as caught,
        ):
            client.decisions.plan([], patience_s=0.1)
    assert caught.value.problem.reason == "TimedOut"
