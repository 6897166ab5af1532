"""How many golden inputs a gate needs before it can pass (gates.md: section 3).

With no input on which the two sides differ, the e-process against "the loss is at least d" after n
inputs is the mean over k of (1 + l_k d)^n, with the bets l_k = 0.95 / (1 - d) * exp(-k / 4) for
k = 0..23; the gate passes once that reaches 20, and not before 50 inputs. For example d = 0.02
needs n = 298, d = 0.01 needs 600. A gate's alpha is its chance to fail falsely, not to pass.
"""

import math
from collections.abc import Iterator, Sequence

from shoal.resources.gate import Gate

_BETS = 24
_LARGEST_BET = 0.95
_PASSES = 20  # 1 / 0.05
_LEAST = 50
_MANY = 1_000_000


def inputs_needed(max_drop: float) -> int | None:
    """The least number of golden inputs that can pass the gate; None where none suffices."""
    if max_drop <= 0:
        return None
    if max_drop >= 1:
        return _LEAST
    factors = [
        1 + _LARGEST_BET / (1 - max_drop) * math.exp(-k / 4) * max_drop for k in range(_BETS)
    ]
    low, high = _LEAST, _MANY
    if not _reaches(factors, high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _reaches(factors, middle) else (middle + 1, high)
    return low


def warnings(gates: Sequence[Gate], golden: int) -> Iterator[str]:
    """A sentence for each gate that `golden` inputs cannot pass, with the number that could."""
    for gate in gates:
        if gate.metric not in {"accuracy", "agreement"} or not gate.max_drop:
            continue
        needed = inputs_needed(gate.max_drop)
        if needed is not None and golden < needed:
            yield (
                f"the {gate.metric} gate with maxDrop {gate.max_drop:g} needs at least {needed} "
                f"golden inputs to pass, the Model has {golden} (spec.data.golden)"
            )


def _reaches(factors: Sequence[float], n: int) -> bool:
    # In logarithms: the largest factor to the power of many overflows.
    logs = [n * math.log(factor) for factor in factors]
    top = max(logs)
    mean = top + math.log(sum(math.exp(one - top) for one in logs) / len(logs))
    return mean >= math.log(_PASSES)
