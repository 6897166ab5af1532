"""Operating curves of the rollout gates: the production code on simulated fleets, beside rivals.

    python -m bench.gates [-o json|table] [--runs 100] [--only paired,golden,accuracy,…]

Every rollout is watched continuously, all tests are one-sided at 5 %. Shares: false aborts of
identical sides (A/A), false verdicts where the truth lies exactly at the limit, with and without
5 % of devices that lie, beside alpha and beside pooled always-valid tests and fixed thresholds on
the same streams. Samples: how many a verdict takes, beside what the design promises. Seeded by the
name of the row; `n` is the number of rollouts (for samples: of those decided).
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Final

from bench import report
from bench.gating import arms_curves, paired_curves
from bench.report import Row

_SECTIONS: Final[dict[str, tuple[Callable[[int], Iterator[Row]], ...]]] = {
    "paired": (paired_curves.aborts, paired_curves.at_the_limit, paired_curves.masking),
    "samples": (paired_curves.samples,),
    "golden": (paired_curves.golden_set,),
    "accuracy": (arms_curves.accuracy,),
    "errors": (arms_curves.error_rate,),
    "latency": (arms_curves.latency,),
    "incidents": (arms_curves.incidents,),
}


def rows(sections: list[str], runs: int) -> Iterator[Row]:
    """All rows of the sections, told on stderr as they come."""
    for section in sections:
        for curve in _SECTIONS[section]:
            for row in curve(runs):
                print(f"{row.what}: {row.ours} / {row.peer}", file=sys.stderr)
                yield row


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--runs", type=int, default=100, help="simulated rollouts a row")
    parser.add_argument("--only", default=",".join(_SECTIONS), help="sections, with commas")
    chosen = parser.parse_args()
    sections = chosen.only.split(",")
    if unknown := set(sections) - set(_SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(_SECTIONS)}")
    found = rows(sections, chosen.runs)
    report.show("gates", ("shoal", "numpy"), found, chosen.output)


if __name__ == "__main__":
    main()
