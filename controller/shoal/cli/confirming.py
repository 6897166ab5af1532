"""Agreement to what cannot be taken back: the number of devices it reaches, typed by hand.

Only where somebody can answer: with `--yes`, and where stdin or stderr is no terminal, nothing is
asked, so that scripts run as they always did.
"""

import sys
from collections.abc import Callable

from shoal.cli import evidence
from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason


def agree(what: str, devices: Callable[[], int], *, yes: bool) -> None:
    """Lets `what` happen, or not; `devices` counts whom it reaches, only when that is asked.

    What reaches no device is not asked about.

    Raises:
        FailedError: another number was typed, or none.
    """
    if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    number = devices()
    if number == 0:
        return
    said = evidence.count(number, "device")
    sys.stderr.write(f"{what} reaches {said}. Type {number} to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != str(number):
        raise FailedError(
            Problem(
                reason=Reason.DECLINED,
                message="not agreed, so nothing was changed",
                hint=f"type {number}, the number of devices, or give --yes",
            )
        )
