"""Wakes everybody who waits for news, inside one event loop."""

import asyncio


class Bell:
    """Take a ticket, look for news, and only then wait on the ticket: no ring is ever missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ticket(self) -> asyncio.Event:
        """Set by the next ring after this call."""
        return self._event

    def ring(self) -> None:
        """Wake all holders of tickets."""
        self._event.set()
        self._event = asyncio.Event()
