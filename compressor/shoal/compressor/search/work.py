"""How much work a training is: counted in seconds of one reference core, never timed.

So the same inputs meet the same end of a search on an idle machine and on a busy one. The shares
were fitted to trainings of residual and depthwise-separable nets with torch 2.13 on one core of an
AVX512 server.
"""

from dataclasses import dataclass
from typing import Final

from shoal.compressor.search.values import Profile

_SUM_S: Final = 6.0e-11  # one multiply-accumulate, forward and twice backward
_BYTE_S: Final = 4.5e-10  # one byte that an operator reads or makes, and its gradient
_NODE_S: Final = 5.0e-5  # one operator in one step, whatever its size
_WEIGHT_S: Final = 3.0e-9  # one weight in one step of the optimizer
_FIXED_S: Final = 0.4  # reading, cutting, teaching, writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one row and one step of training take, the parts that shrink with width apart."""

    sums: int
    bytes: int
    nodes: int
    weights: int

    def training_s(self, width: float, steps: int, rows: int) -> float:
        """Seconds for `steps` of `rows` rows in a net of `width` times the channels.

        Example: half the width has a quarter of the sums and weights and half of the bytes.
        """
        row_s = self.sums * width**2 * _SUM_S + self.bytes * width * _BYTE_S
        step_s = self.nodes * _NODE_S + self.weights * width**2 * _WEIGHT_S
        return _FIXED_S + steps * (rows * row_s + step_s)


def load(profile: Profile) -> Load:
    """The load of training a float graph whose inference does this."""
    return Load(
        sums=profile.sums,
        bytes=profile.moved_bytes,
        nodes=profile.nodes,
        weights=profile.weights,
    )
