"""Which recipes a search tries, and in which order: pure, so that a test can read it."""

from dataclasses import dataclass
from typing import Final

from shoal.compressor.evaluate.environment import Machine
from shoal.compressor.passes.distill import Distill
from shoal.compressor.passes.graph import Clean, Step
from shoal.compressor.passes.protocol import Effort, Pass
from shoal.compressor.passes.prune import Prune
from shoal.compressor.passes.quantize import WEIGHT_OPERATORS, Form, Integers, StaticInt8

# Cleaning as far as it goes; where that breaks parity, less.
CLEANINGS: Final = (Clean(), Clean(steps=(Step.OPSET, Step.SLIM)), Clean(steps=()))

_RATIOS: Final = {
    Effort.QUICK: (0.3, 0.5, 0.7),
    Effort.BALANCED: (0.2, 0.35, 0.5, 0.6, 0.7, 0.8),
    Effort.THOROUGH: (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85),
}
_WIDTHS: Final = {
    Effort.QUICK: (0.4,),
    Effort.BALANCED: (0.6, 0.4, 0.25),
    Effort.THOROUGH: (0.8, 0.6, 0.5, 0.4, 0.3, 0.2),
}
_STEPS: Final = {Effort.QUICK: 400, Effort.BALANCED: 1_500, Effort.THOROUGH: 8_000}
_TEMPERATURE: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the plan depends on."""

    machine: Machine
    effort: Effort
    classifies: bool


def static_ladder(machine: Machine) -> tuple[StaticInt8, ...]:
    """Static int8 from the widest configuration to the narrowest; the next is for when one fails.

    x86 multiplies unsigned by signed bytes; without VNNI such sums saturate at 16 bits, so weights
    give up one bit there. ARM's dot product wants signed by signed.
    """
    integers = Integers.U8S8 if machine.is_x86 else Integers.S8S8
    reduce = machine.saturates
    return tuple(
        StaticInt8(
            integers=integers,
            reduce_range=reduce,
            form=Form.QOPERATOR,
            per_channel=per_channel,
            operators=operators,
        )
        for per_channel, operators in (
            (True, ()),
            (True, WEIGHT_OPERATORS),
            (False, ()),
            (False, WEIGHT_OPERATORS),
        )
    )


def prunings(situation: Situation) -> tuple[Pass, ...]:
    """Pruning from a little to a lot, so that the front spans sizes."""
    return tuple(
        Prune(ratio=ratio, steps=_STEPS[situation.effort], temperature=_temperature(situation))
        for ratio in _RATIOS[situation.effort]
    )


def distillings(situation: Situation, *, beside_pruning: bool) -> tuple[Pass, ...]:
    """Narrower students; a whole ladder of them where nothing else makes the model smaller."""
    widths = _WIDTHS[situation.effort]
    if not beside_pruning:
        widths = tuple(sorted({1 - r for r in _RATIOS[situation.effort]}, reverse=True))
    return tuple(
        Distill(width=width, steps=_STEPS[situation.effort], temperature=_temperature(situation))
        for width in widths
    )


def _temperature(situation: Situation) -> float | None:
    return _TEMPERATURE if situation.classifies else None
