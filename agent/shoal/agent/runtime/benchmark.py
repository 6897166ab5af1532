"""The supervisor's side of the micro-benchmark: start the child, bound it, read its score."""

import asyncio
import json
import math
import os
import sys

TIMEOUT_S = 5.0
SCORE_BYTES = 64
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class BenchmarkChild:
    """Implements the port `shoal.agent.core.ports.Benchmark`; each score is one fresh process."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    async def score(self) -> float | None:
        """See `Benchmark.score`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-B", "-m", "shoal.agent.serve.benchmark", str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
            process_group=0,
        )
        if process.stdout is None:
            raise RuntimeError("the child was started without its pipe")
        try:
            async with asyncio.timeout(self._timeout_s):
                said = await process.stdout.read(SCORE_BYTES)
                return _score(said) if await process.wait() == 0 else None
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _score(said: bytes) -> float | None:
    """Three digits of it: more would be noise."""
    try:
        score = float(json.loads(said))
    except (ValueError, TypeError):
        return None
    return float(f"{score:.3g}") if math.isfinite(score) and score > 0 else None
