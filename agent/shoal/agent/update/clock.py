"""The Clock port on the system's clock."""

import asyncio
import time


class SystemClock:
    """Wall time, and asyncio's waiting."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return after that long."""
        await asyncio.sleep(seconds)
