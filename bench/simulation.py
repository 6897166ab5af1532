"""How fast the simulation runs: device-days and whole rollouts in a minute of one core.

A device-day carries at least 300 delivered messages, one assignment and one injected fault, and all
laws are asked on the way. There is no peer: `peer` is what is aimed at, and `ratio` how far beyond
that it is.
"""

import time
from collections.abc import Iterator

from bench import report
from shoal.lab.simulation.days import Days, live
from shoal.lab.simulation.scenarios import DEVICES, SCENARIOS, run

DEVICE_DAYS_A_MINUTE = 1_000.0
SEEDS_A_MINUTE = 400.0  # of one core: 2,000 runs in two and a half minutes on two
_DAYS = Days(devices=20, days=3)


def rows(runs: int) -> Iterator[report.Row]:
    """Device-days and what they carried, then runs of every scenario that is swept often."""
    started_s = time.process_time()
    carried = live(_DAYS, seed=0)
    minutes = (time.process_time() - started_s) / 60
    count = _DAYS.devices * _DAYS.days
    yield _row("device-days a minute", count / minutes, DEVICE_DAYS_A_MINUTE, "1/min", count)
    for what, total, aim in (
        ("messages a device-day", carried.messages, 300.0),
        ("assignments a device-day", carried.assignments, 1.0),
        ("faults a device-day", carried.faults, 1.0),
    ):
        yield _row(what, total / count, aim, "", count)
    started_s = time.process_time()
    often = [one for one in SCENARIOS.values() if one.rarely == 1]
    for scenario in often:
        for seed in range(runs):
            run(scenario, seed)
    minutes = (time.process_time() - started_s) / 60
    n = runs * len(often)
    what = f"rollouts of {DEVICES} devices a minute"
    yield _row(what, n / minutes, SEEDS_A_MINUTE, "1/min", n)


def _row(what: str, ours: float, aim: float, unit: str, n: int) -> report.Row:
    return report.Row(
        what=what, ours=round(ours, 2), peer=aim, ratio=round(ours / aim, 3), unit=unit, n=n
    )


def main() -> None:
    """Runs the benchmark."""
    chosen = report.options(__doc__ or "")
    report.show("simulation", ("shoal",), rows(chosen.pairs), chosen.output)


if __name__ == "__main__":
    main()
