import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shoal.agent.serve.errors import RequestError
from shoal.agent.serve.intake import GoneError, Intake, Message
from shoal.contract.limits import INFER_BODY_BYTES, INFER_HELD_BYTES, INFER_IN_FLIGHT

PART = bytes(1024 * 1024)


def sending(*messages: Message) -> Callable[[], Awaitable[Message]]:
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    return receive


def body(part: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": part, "more_body": more}


def test_a_body_in_parts_is_put_together_and_given_back() -> None:
    intake = Intake()
    with intake.admit() as ticket:
        parts = sending(body(b"ab", more=True), body(b"", more=True), body(b"cd"))
        assert asyncio.run(ticket.body(parts, 4)) == b"abcd"
        assert (intake.requests, intake.held_bytes) == (1, 4)
    assert (intake.requests, intake.held_bytes) == (0, 0)


def test_a_body_above_the_limit_is_refused_even_where_it_did_not_say_so() -> None:
    intake = Intake()
    too_many = [body(PART, more=True)] * (INFER_BODY_BYTES // len(PART) + 1)
    with intake.admit() as ticket, pytest.raises(RequestError) as caught:
        asyncio.run(ticket.body(sending(*too_many), 0))
    assert caught.value.status == 413
    assert intake.held_bytes == 0


def test_all_bodies_together_are_bounded() -> None:
    intake = Intake()
    intake.held_bytes = INFER_HELD_BYTES - 1
    with intake.admit() as ticket, pytest.raises(RequestError) as caught:
        asyncio.run(ticket.body(sending(body(b"ab")), 2))
    assert caught.value.status == 503


def test_requests_inside_are_bounded() -> None:
    intake = Intake()
    intake.requests = INFER_IN_FLIGHT
    with pytest.raises(RequestError) as caught:
        intake.admit()
    assert caught.value.status == 503


def test_a_client_that_leaves_is_not_answered() -> None:
    intake = Intake()
    parts = sending(body(b"ab", more=True), {"type": "http.disconnect"})
    with intake.admit() as ticket, pytest.raises(GoneError):
        asyncio.run(ticket.body(parts, 4))
    assert intake.held_bytes == 0
