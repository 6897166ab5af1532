"""The work queue: each key once, one pass at a time, and again when it asked for it."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from shoal.controller.reconcile.queue import Key, WorkQueue

A = Key("Deployment", "default", "a")
B = Key("Deployment", "default", "b")


def test_a_key_added_twice_is_taken_once() -> None:
    queue = WorkQueue()
    queue.add(A)
    queue.add(A)
    assert queue.take(0) == A
    assert queue.take(0) is None


def test_a_key_added_during_its_own_pass_runs_once_more_after_it() -> None:
    queue = WorkQueue()
    queue.add(A)
    assert queue.take(0) == A
    queue.add(A)
    queue.add(A)
    assert queue.take(0) is None
    queue.finish(A)
    assert queue.take(0) == A
    queue.finish(A)
    assert queue.take(0) is None


def test_the_earliest_wish_to_be_woken_counts() -> None:
    queue = WorkQueue()
    queue.add_at(A, 20)
    queue.add_at(A, 10)
    queue.add_at(A, 15)
    assert queue.due_at() == 10
    assert queue.take(9.9) is None
    assert queue.take(10) == A
    queue.finish(A)
    assert queue.take(30) is None


def test_a_failing_key_comes_back_later_and_later_until_it_succeeds() -> None:
    queue = WorkQueue()
    delays = []
    now = 0.0
    queue.add(A)
    for _ in range(12):
        assert queue.take(now) == A
        delays.append(queue.fail(A, now))
        now += delays[-1]
    assert delays[:3] == [0.2, 0.4, 0.8]
    assert delays[-1] == 30
    assert queue.take(now) == A
    queue.finish(A)
    queue.add(A)
    assert queue.take(now) == A
    assert queue.fail(A, now) == 0.2


def test_a_key_that_fails_for_days_still_comes_back_after_half_a_minute() -> None:
    queue = WorkQueue()
    queue.add(A)
    now = 0.0
    for _ in range(2_000):
        assert queue.take(now) == A
        now += queue.fail(A, now)
    assert queue.take(now) == A
    assert queue.fail(A, now) == 30


def test_waiting_ends_when_a_key_is_added() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        waiting = asyncio.create_task(queue.wait(None))
        await asyncio.sleep(0)
        queue.add(B)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())


@given(st.lists(st.sampled_from(["add", "take", "finish", "fail", "at"]), max_size=60))
def test_no_key_is_lost_and_none_runs_twice_at_once(steps: list[str]) -> None:
    queue = WorkQueue()
    running: set[Key] = set()
    wanted = False
    now = 0.0
    for step in steps:
        now += 1
        if step == "add":
            queue.add(A)
            wanted = True
        elif step == "at":
            queue.add_at(A, now + 5)
            wanted = True
        elif step == "take" and (key := queue.take(now)) is not None:
            assert key not in running
            running.add(key)
            wanted = False
        elif step in {"finish", "fail"} and A in running:
            running.remove(A)
            if step == "finish":
                queue.finish(A)
            else:
                queue.fail(A, now)
                wanted = True
    if A in running:
        queue.finish(A)
    taken = queue.take(now + 1_000)
    assert taken == A or not wanted


def test_a_clock_that_is_set_back_makes_every_timer_due() -> None:
    queue = WorkQueue()
    assert not queue.set_back(10_000.0)
    queue.add_at(A, 10_060.0)
    assert not queue.set_back(10_000.5)
    assert queue.take(10_000.5) is None
    assert queue.set_back(6_400.0)
    assert queue.take(6_400.0) == A
    queue.finish(A)
    assert queue.due_at() is None
    assert not queue.set_back(6_399.5), "clocks are cared for all the time"
