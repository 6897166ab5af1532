"""A slow stream with a pulse: the newest item as it comes, and a tick whenever it is quiet."""

import queue
import threading
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

_T = TypeVar("_T")


class Tick:
    """Nothing new came for a while."""


TICK: Final = Tick()


class _End(Generic[_T]):
    """How the stream ended: with an error, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ticking(stream: Iterator[_T], every_s: float) -> Iterator[_T | Tick]:
    """The items of `stream`, and `TICK` after each `every_s` seconds without one.

    Of several items that wait already only the newest is told: whoever draws wants no other. The
    stream is read by a thread that ends with it, or with the program.
    """
    arrived: queue.SimpleQueue[_T | _End[_T]] = queue.SimpleQueue()

    def read() -> None:
        try:
            for item in stream:
                arrived.put(item)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asked
            arrived.put(_End(error))
        else:
            arrived.put(_End(None))

    threading.Thread(target=read, daemon=True).start()
    while True:
        news = _newest(arrived, every_s)
        if not news:
            yield TICK
        for item in news:
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                return


def _newest(
    arrived: "queue.SimpleQueue[_T | _End[_T]]", patience_s: float
) -> "list[_T | _End[_T]]":
    """The newest item and the end, as far as they came; empty when nothing did."""
    try:
        found = [arrived.get(timeout=patience_s)]
    except queue.Empty:
        return []
    while not arrived.empty():
        found.append(arrived.get())
    ends = [one for one in found if isinstance(one, _End)]
    return [one for one in found if not isinstance(one, _End)][-1:] + ends
