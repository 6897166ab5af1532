"""Agreement to what cannot be taken back: the number of devices it reaches, typed by hand.

And to downloads, which are not expected of a command about a fleet.

Only where somebody can answer: with `--yes`, and where stdin or stderr is no terminal, nothing is
asked, so that scripts run as they always did.
"""

import sys
from collections.abc import Callable, Sequence

from shoal.cli import evidence
from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason


def agree(what: str, devices: Callable[[], int], *, yes: bool) -> None:
    """Lets `what` happen, or not; `devices` counts whom it reaches, only when that is asked.

    What reaches no device is not asked about.

    Raises:
        FailedError: another number was typed, or none.
    """
    if yes or not _is_answered():
        return
    number = devices()
    if number == 0:
        return
    said = evidence.count(number, "device")
    if _answer(f"{what} reaches {said}. Type {number} to go on: ") != str(number):
        raise _declined(f"type {number}, the number of devices, or give --yes")


def agree_to_fetch(urls: Sequence[str], *, yes: bool) -> None:
    """Lets files be downloaded, or not.

    Raises:
        FailedError: something else than yes was typed.
    """
    if yes or not _is_answered():
        return
    if _answer(f"fetch {', '.join(urls)}? Type yes to go on: ").lower() not in {"y", "yes"}:
        raise _declined("type yes, or give --yes")


def _is_answered() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _answer(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _declined(hint: str) -> FailedError:
    message = "not agreed, so nothing was changed"
    return FailedError(Problem(reason=Reason.DECLINED, message=message, hint=hint))
