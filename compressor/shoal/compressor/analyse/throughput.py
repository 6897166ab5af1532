"""What other machines' instructions do beside this one's: published throughputs, not measurements.

Multiply-accumulates one core can start per cycle, float and int8:

- x86-64 with AVX2: two 256-bit FMA ports, 16 float; int8 through VPMADDUBSW, VPMADDWD and VPADDD,
  three instructions for 32 products, so 21. With AVX-VNNI one VPDPBUSD does 32 on two ports, 64.
  With AVX-512: 32 float on two ports; VNNI 128; AMX 1024 (Intel 64 and IA-32 Architectures
  Optimization Reference Manual, 248966, chapters on FMA, VNNI and AMX: 2,048 int8 operations per
  cycle with AMX against 256 with VNNI).
- AArch64: two 128-bit pipes, FMLA 8 float; without dot product SMULL and SADALP, two instructions
  for 8 products, so 8; SDOT 16 products a pipe, 32; SMMLA (i8mm) 32 a pipe, 64 (Arm Cortex-A76 and
  Neoverse N1/N2 Software Optimization Guides, tables of ASIMD throughput; the Arm Architecture
  Reference Manual on SDOT and SMMLA).

Kernels reach a part of that, and memory, clock and cache of the other machine are unknown. So only
sums are converted, and the interval is wide.
"""

from dataclasses import dataclass, replace
from typing import Final

from shoal.compressor.analyse.latency_model import Basis, Model, Rate
from shoal.compressor.target import Target

_UNKNOWN: Final = 0.6  # relative error of everything together, as one standard deviation
_REACHED: Final = 0.6  # of what int8 gains over float in the tables, how much kernels reach
_INTEGERS: Final = ("/int8", "/int4")
_SUMS: Final = 1  # the place of sums among the terms of a rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Multiply-accumulates a cycle and core."""

    fp32: int
    int8: int

    @property
    def gain(self) -> float:
        """How much faster kernels multiply int8 than float: 1 at least, a part of the table's.

        Example: 32 and 128 are a gain of 4 on paper, 1 + 0.6 x 3 = 2.8 in kernels.
        """
        return 1 + _REACHED * max(self.int8 / self.fp32 - 1, 0)


_PLAIN: Final = Lanes(fp32=8, int8=8)
_TABLE: Final = (  # the first row whose features the machine has; those of one architecture descend
    ("x86_64", {"amx_int8"}, Lanes(fp32=32, int8=1024)),
    ("x86_64", {"avx512_vnni"}, Lanes(fp32=32, int8=128)),
    ("x86_64", {"avx512f", "avx_vnni"}, Lanes(fp32=32, int8=64)),
    ("x86_64", {"avx512f"}, Lanes(fp32=32, int8=42)),
    ("x86_64", {"avx_vnni"}, Lanes(fp32=16, int8=64)),
    ("x86_64", {"avx2"}, Lanes(fp32=16, int8=21)),
    ("aarch64", {"i8mm"}, Lanes(fp32=8, int8=64)),
    ("aarch64", {"asimddp"}, Lanes(fp32=8, int8=32)),
)


def lanes(target: Target) -> Lanes:
    """The widest instructions that `target` has; of an unknown machine, those of 128 bits."""
    isa = set(target.isa)
    found = (row for arch, needed, row in _TABLE if arch == target.arch and needed <= isa)
    return next(found, _PLAIN)


def elsewhere(model: Model, here: Target, there: Target) -> Model:
    """The costs of another machine, out of this one's: sums by instruction, all else alike.

    Its predictions are marked as of a table. The ratio of two of them says more than either.
    """
    ours, theirs = lanes(here), lanes(there)
    return replace(
        model,
        rates=tuple(_converted(rate, ours, theirs) for rate in model.rates),
        scale=1.0,
        alike=_UNKNOWN,
        basis=Basis.TABLE,
    )


def _converted(rate: Rate, ours: Lanes, theirs: Lanes) -> Rate:
    factor = ours.fp32 / theirs.fp32
    if rate.kind.endswith(_INTEGERS):
        factor *= ours.gain / theirs.gain
    costs = list(rate.costs)
    costs[_SUMS] *= factor
    return replace(rate, costs=tuple(costs))
