"""The one shape of every benchmark's result, and how pairs are measured.

Machines are noisy, so ours and the peer take turns and the ratio is the median of the pairs' own
ratios; an absolute figure only shows the order of magnitude.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison: medians of both sides, the median ratio, the number of pairs."""

    what: str
    ours: float
    peer: float
    ratio: float
    unit: str
    n: int


def compared(what: str, ours: Callable[[], float], peer: Callable[[], float], n: int) -> Row:
    """`n` pairs in milliseconds, taken in turns after one unmeasured pair that warms caches.

    Pairs (40, 20) and (50, 20) give ours 45, peer 20 and the ratio 2.25, the median of 2 and 2.5.
    """
    ours()
    peer()
    pairs = [(ours(), peer()) for _ in range(n)]
    return Row(
        what=what,
        ours=round(statistics.median(first for first, _second in pairs), 2),
        peer=round(statistics.median(second for _first, second in pairs), 2),
        ratio=round(statistics.median(first / second for first, second in pairs), 3),
        unit="ms",
        n=n,
    )


def options(description: str) -> argparse.Namespace:
    """The options of every benchmark: `-o json|table` and the number of pairs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("-n", "--pairs", type=int, default=15, help="measured pairs a row")
    return parser.parse_args()


def show(name: str, packages: Iterable[str], rows: Iterable[Row], output: str) -> None:
    """Prints the result of benchmark `name`."""
    shown = list(rows)
    if output == "json":
        document = {
            "name": name,
            "machine": _machine(),
            "versions": {one: importlib.metadata.version(one) for one in packages},
            "rows": [dataclasses.asdict(row) for row in shown],
        }
        print(json.dumps(document, indent=2))
        return
    width = max((len(row.what) for row in shown), default=0)
    for row in shown:
        print(f"{row.what:<{width}}  {row.ours:>8} {row.unit}  peer {row.peer:>8}  x{row.ratio}")


def _machine() -> dict[str, object]:
    return {
        "system": platform.system(),
        "arch": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
