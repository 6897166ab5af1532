"""Watching a rollout from outside, as any operator's script would."""

import time
from collections.abc import Callable
from typing import Any

from shoal.client.client import Client
from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason

NAMESPACE = "default"
_DECIDED = frozenset({"complete", "rolled-back", "aborted", "held", "superseded", "failed"})
_POLL_S = 0.3

Revision = dict[str, Any]


def follow(
    client: Client, deployment: str, number: int, say: Callable[[str], None], timeout_s: float
) -> Revision:
    """Wait until revision `number` is decided, telling each change; returns the revision.

    Raises:
        FailedError: it is not decided in time; says what it waits for.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found = [
            r for r in client.rollouts.revisions(NAMESPACE, deployment) if r["number"] == number
        ]
        if found:
            say(f"  revision {number}: {describe(found[0])}")
            if found[0]["result"] in _DECIDED:
                return found[0]
        if time.monotonic() > deadline:
            raise FailedError(
                Problem(
                    reason=Reason.TIMED_OUT,
                    message=f"revision {number} of {deployment} is undecided after {timeout_s:g}s: "
                    + (describe(found[0]) if found else "it does not exist yet"),
                    hint=f"shoal describe deployment {deployment}",
                )
            )
        time.sleep(_POLL_S)


def describe(revision: Revision) -> str:
    """One line: each wave with its counts, then the result and why."""
    waves = [
        f"{wave['name']} {wave['counts'].get('Confirmed', 0)}/{wave['devices']}"
        for wave in revision["waves"]
        if wave["result"] != "pending"
    ]
    reason = f" ({revision['reason']})" if revision["reason"] else ""
    return f"{', '.join([*waves, revision['result']])}{reason}"
