"""Progress for people, on stderr: a spinner on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Where a search tells what it does."""

    def tell(self, text: str) -> None:
        """One line: what was found or is being tried."""
        ...


class Lines:
    """Plain lines on stderr."""

    def tell(self, text: str) -> None:
        """Writes the line."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


@contextmanager
def on_stderr() -> Iterator[Progress]:
    """Progress that suits stderr as it is now."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console  # noqa: PLC0415 - only on a terminal

    console = Console(stderr=True)
    with console.status("reading the model") as status:

        class _Spinner:
            def tell(self, text: str) -> None:
                console.print(text, highlight=False)
                status.update(text)

        yield _Spinner()
