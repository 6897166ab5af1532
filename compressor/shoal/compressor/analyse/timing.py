"""Times the probes on this machine: what the latency model is fitted to, some seconds in all."""

import time
from pathlib import Path
from typing import Final

import numpy as np

from shoal.compressor.analyse import latency_model, operations, probes
from shoal.compressor.analyse.latency_model import Model, Timed
from shoal.compressor.evaluate import session

_WARM_RUNS: Final = 4
_RUNS_AT_LEAST: Final = 8
_SECONDS: Final = 0.012  # a probe
_QUIET: Final = 0.1  # the quantile of a probe's times: what else the machine does is left out
_CACHE: Final = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
_CACHE_BYTES: Final = 1 << 20  # where the system does not say
_UNITS: Final = {"K": 1 << 10, "M": 1 << 20}


def this_machine(threads: int) -> Model:
    """The fitted costs of this machine, right now."""
    timed = []
    for probe in probes.all_probes():
        opened = session.open_session(probe.model, threads)
        work = operations.read(probe.model, probe.feed)
        timed.append(Timed(work=work, ms=_timed_ms(opened, probe)))
    return latency_model.fitted(timed, cache_bytes())


def _timed_ms(opened: object, probe: probes.Probe) -> float:
    run = opened.run  # type: ignore[attr-defined]  # onnxruntime has no types
    for _ in range(_WARM_RUNS):
        run(None, probe.feed)
    taken: list[float] = []
    begin = time.perf_counter()
    while len(taken) < _RUNS_AT_LEAST or time.perf_counter() - begin < _SECONDS:
        start = time.perf_counter()
        run(None, probe.feed)
        taken.append(time.perf_counter() - start)
    return float(np.quantile(taken, _QUIET)) * 1000


def cache_bytes() -> int:
    """The second-level cache of the first processor, as Linux tells it."""
    try:
        text = _CACHE.read_text("ascii").strip()
        return int(text[:-1]) * _UNITS[text[-1]]
    except (OSError, ValueError, KeyError, IndexError):
        return _CACHE_BYTES
