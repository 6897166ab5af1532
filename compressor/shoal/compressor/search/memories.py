"""Peak memory of candidates, measured in fresh children, a few at a time."""

from pathlib import Path
from typing import Any, Final

from shoal.compressor.evaluate import memory
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection
from shoal.compressor.search.cache import Cache
from shoal.contract import jsonform
from shoal.contract.digest import Digest

_AT_ONCE: Final = 2


class Memories:
    """Figures are cached by content."""

    def __init__(self, cache: Cache, feed_path: Path, threads: int, causes: dict[str, Any]) -> None:
        self._cache = cache
        self._feed_path = feed_path
        self._threads = threads
        self._causes = causes
        self._running: dict[Digest, memory.Measuring] = {}

    def foresee(self, model: Digest, path: Path) -> None:
        """Starts measuring `model` unless its figure is known; waits while too many are."""
        if model in self._running or self._cache.get(self._key(model)) is not None:
            return
        while len(self._running) >= _AT_ONCE:
            self._settle(next(iter(self._running)))
        self._running[model] = memory.start(path, self._feed_path, self._threads)

    def of(self, model: Digest, path: Path) -> memory.Memory:
        """The figure of `model`.

        Raises:
            PassError: RuntimeFailed, it does not run in a fresh process.
        """
        self.foresee(model, path)
        if model in self._running:
            self._settle(model)
        entry = self._cache.get(self._key(model))
        if entry is None or "failed" in entry:
            raise PassError(Rejection.RUNTIME_FAILED, (entry or {}).get("failed", "not measured"))
        return jsonform.from_json(memory.Memory, entry)

    def stop(self) -> None:
        """Ends what is still measuring."""
        for measuring in self._running.values():
            measuring.stop()
        self._running.clear()

    def _settle(self, model: Digest) -> None:
        try:
            entry = jsonform.to_json(self._running[model].result())
        except memory.MeasuringError as error:
            entry = {"failed": str(error)}
        self._cache.put(self._key(model), entry)
        del self._running[model]

    def _key(self, model: Digest) -> dict[str, Any]:
        return {"memory": model, **self._causes}
