"""How fast this machine is: `python -m shoal.agent.serve.benchmark PARENT`, a child of its own.

A round is what inference is made of, a product of float32 matrices and a pass over memory that no
first cache holds. What counts is the processor time of the best round: other processes make every
round wait, but never a best one cheaper, while heat, settings and wear slow all of them. stdout is
the score as JSON: rounds that one core would do in a second. The parent sees to it that matrix
products use one thread.
"""

import json
import os
import sys
import time

import numpy as np

from shoal.agent.serve import lifeline

ROUNDS_S = 0.2
_LEAST_ROUNDS = 3
_NICE = 10
_MEMORY_BYTES = 1 << 29
_CPU_S = 10
_SIDE = 128  # of the matrices
_PASSED = 1 << 18  # numbers of 4 bytes: 1 MiB


def main() -> None:
    """Measure, and print the score."""
    lifeline.die_with(int(sys.argv[1]))
    lifeline.confine(_MEMORY_BYTES, _CPU_S)
    os.nice(_NICE)
    json.dump(score(), sys.stdout)


def score() -> float:
    """Rounds in a second of one core, from 0.2 s of them or, where that is too short, three."""
    a, passed = np.full((_SIDE, _SIDE), 0.5, np.float32), np.ones(_PASSED, np.float32)
    best_ns, done, ends = 0, 0, 0.0
    while done < _LEAST_ROUNDS or time.perf_counter() < ends:
        started_ns = time.thread_time_ns()
        np.matmul(a, a)
        np.add(passed, 1, out=passed)
        taken_ns = max(time.thread_time_ns() - started_ns, 1)
        if ends == 0:  # the first one only warms up
            ends, best_ns = time.perf_counter() + ROUNDS_S, taken_ns
            continue
        best_ns, done = min(best_ns, taken_ns), done + 1
    return 1e9 / best_ns


if __name__ == "__main__":
    main()
