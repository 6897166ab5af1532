"""Many seeds of every scenario, on all cores: what a build runs."""

import gc
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from shoal.lab.simulation.laws import BrokenLawError
from shoal.lab.simulation.scenarios import SCENARIOS, run

RUNS_BETWEEN_COLLECTIONS = 10
BATCH = 25  # seeds that one worker runs before it takes more


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What became of some seeds of one scenario; `broken` holds what the failing ones said.

    `fewest_devices` and `fewest_complete` are the least of devices and of completed revisions that
    any run had.
    """

    scenario: str
    runs: int
    broken: tuple[str, ...]
    fewest_devices: int
    fewest_complete: int


def sweep(scenario: str, seeds: range) -> Swept:
    """Run these seeds, one after the other."""
    broken: list[str] = []
    devices, complete = [], []
    # A run is short and ends whole: collecting within one only costs.
    gc.disable()
    for seed in seeds:
        if seed % RUNS_BETWEEN_COLLECTIONS == 0:
            gc.collect()
        try:
            simulation = run(SCENARIOS[scenario], seed)
        except BrokenLawError as error:
            broken.append(str(error))
            continue
        devices.append(len(simulation.devices))
        revisions = simulation.record().revisions
        complete.append(sum(one.completed_at is not None for one in revisions))
    return Swept(
        scenario=scenario,
        runs=len(seeds),
        broken=tuple(broken),
        fewest_devices=min(devices, default=0),
        fewest_complete=min(complete, default=0),
    )


def sweep_all(seeds: range) -> Iterator[Swept]:
    """Run these seeds of every scenario on all cores; results come as they are ready.

    Of a scenario that takes long only one of some is run.
    """
    batches = [
        (one.name, range(first, min(first + BATCH, seeds.stop))[:: one.rarely])
        for first in range(seeds.start, seeds.stop, BATCH)
        for one in SCENARIOS.values()
    ]
    workers = max(1, len(os.sched_getaffinity(0)))
    # Threads of whoever asks must not be forked with their locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        for done in as_completed([pool.submit(sweep, *batch) for batch in batches]):
            yield done.result()
