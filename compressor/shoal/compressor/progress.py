"""Progress for people, on stderr: a live line with the best so far on a terminal, else lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Where a search tells what it does."""

    def tell(self, text: str) -> None:
        """One line: what was found or is being tried."""
        ...

    def best(self, text: str) -> None:
        """The best candidate so far, in a phrase; replaces what was said before."""
        ...


class Lines:
    """Plain lines on stderr."""

    def tell(self, text: str) -> None:
        """Writes the line."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def best(self, text: str) -> None:
        """Writes it as a line of its own."""
        self.tell(f"  best so far: {text}")


@contextmanager
def on_stderr() -> Iterator[Progress]:
    """Progress that suits stderr as it is now."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console  # noqa: PLC0415 - only on a terminal
    from rich.markup import escape  # noqa: PLC0415

    console = Console(stderr=True)
    with console.status("reading the model") as status:

        class _Live:
            def __init__(self) -> None:
                self._now, self._best = "reading the model", ""

            def tell(self, text: str) -> None:
                console.print(text, highlight=False, markup=False)
                self._now = text.strip()
                self._show()

            def best(self, text: str) -> None:
                self._best = text
                self._show()

            def _show(self) -> None:
                best = f"\n  best so far: {self._best}" if self._best else ""
                status.update(escape(f"{self._now}{best}"))

        yield _Live()
