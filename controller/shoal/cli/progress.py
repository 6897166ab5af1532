"""Progress of uploads, drawn on stderr where that is a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from shoal.contract import units

_BAR = 24


class Progress:
    """Draws one line a file, over and over; silent where nobody watches."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()

    @contextlib.contextmanager
    def of(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """A reporter of (done, total) for the file `name`; its line is removed at the end."""

        def report(done: int, total: int) -> None:
            if self._is_live:
                sys.stderr.write(f"\r\x1b[K{bar(name, done, total)}")
                sys.stderr.flush()

        try:
            yield report
        finally:
            if self._is_live:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()


def bar(name: str, done: int, total: int) -> str:
    """`teacher.onnx  [############            ]  50 % of 1.2 MiB`."""
    share = done / total if total else 1.0
    filled = "#" * round(share * _BAR)
    return f"{name}  [{filled:<{_BAR}}] {share:4.0%} of {units.format_size(total)}"
