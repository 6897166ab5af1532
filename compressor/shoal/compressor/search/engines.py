"""Which files for LiteRT suit a network: pure, so that a test can read it.

Files of another engine end a recipe. They follow the cleaned graph, and every narrower network that
pruning and distilling made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shoal.compressor.analyse.facts import Facts, Family
from shoal.compressor.analyse.sensitivity import Layer
from shoal.compressor.litert.choices import WRITABLE, Keep, Ranges, Scheme
from shoal.compressor.passes.protocol import Effort, Pass
from shoal.compressor.passes.tflite import KeepTflite, QuantizeTflite, ToTflite
from shoal.compressor.passes.tflite_integer import Chip, IntegerTflite
from shoal.compressor.sources.origin import OriginFormat

Ladder = tuple[Pass, ...]

LITERT: Final = "litert"
ONNXRUNTIME: Final = "onnxruntime"
_EXCLUDED: Final = {Effort.QUICK: (2,), Effort.BALANCED: (1, 2, 4), Effort.THOROUGH: (1, 2, 4, 8)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a run allows: engines and precisions by the contract's names, and the source's format.

    `chip` is what the profile's files of integers are for, None on an ordinary machine.
    """

    engines: tuple[str, ...]
    precisions: tuple[str, ...]
    origin: OriginFormat = OriginFormat.ONNX
    chip: Chip | None = None

    @property
    def onnxruntime(self) -> bool:
        """Whether files for onnxruntime are wanted."""
        return ONNXRUNTIME in self.engines

    @property
    def litert(self) -> bool:
        """Whether files for LiteRT are wanted."""
        return LITERT in self.engines


def kept(offer: Offer) -> tuple[Pass, ...]:
    """Recipes of one pass on the source itself: the `.tflite` file as the user gave it."""
    is_lite = offer.litert and offer.origin is OriginFormat.TFLITE
    return (KeepTflite(),) if is_lite and offer.chip is None else ()


def ladders(
    facts: Facts, layers: tuple[Layer, ...], effort: Effort, offer: Offer
) -> tuple[Ladder, ...]:
    """What to try on the cleaned graph, the most promising first.

    Each ladder goes from the widest configuration to the narrowest: the next is for when one misses
    the floor. Ladders differ in bytes and speed, so none makes another needless.
    """
    if not offer.litert or not writable(facts):
        return ()
    whole = "int8" in offer.precisions and not facts.quantized and facts.float_bytes > 0
    if offer.chip is not None:
        return (_integers(offer.chip),) if whole else ()
    found: list[Ladder] = []
    if whole:
        found += _eight(facts, layers, effort)
    if "fp32" in offer.precisions:
        found.append((ToTflite(),))
    return tuple(found)


def after_shrinking(facts: Facts, offer: Offer) -> tuple[Pass, ...]:
    """What to try on each narrower network: the one static form that promises most, and float."""
    if not offer.litert or not writable(facts):
        return ()
    if offer.chip is not None:
        return (IntegerTflite(chip=offer.chip),)
    passes: list[Pass] = []
    if "int8" in offer.precisions:
        passes.append(QuantizeTflite(keep=_keep(facts)))
    if "fp32" in offer.precisions:
        passes.append(ToTflite())
    return tuple(passes)


def writable(facts: Facts) -> bool:
    """Whether every operator of the graph has a form in LiteRT."""
    return all(name in WRITABLE for name, _ in facts.operators)


def _eight(facts: Facts, layers: Sequence[Layer], effort: Effort) -> list[Ladder]:
    """Static, then weights alone; dynamic where weights are matrices, which convolutions are not.

    Example: a net of convolutions gives four ladders: thin layers in float, everything in 8 bits,
    the first layer in float, weights alone.
    """
    forms = [_keep(facts)]
    if facts.family is Family.CONVOLUTIONAL:
        forms += [Keep.NOTHING] if effort is Effort.QUICK else [Keep.NOTHING, Keep.FIRST]
    found = [_static(keep, layers, effort) for keep in forms]
    found.append((QuantizeTflite(numbers=Scheme.WEIGHTS),))
    if facts.dense_bytes > facts.convolution_bytes:
        found.append((QuantizeTflite(numbers=Scheme.DYNAMIC),))
    return found


def _static(keep: Keep, layers: Sequence[Layer], effort: Effort) -> Ladder:
    """Other ranges where one misses the floor, then without the most sensitive layers."""
    names = tuple(layer.name for layer in layers)
    rules = (Ranges.MINMAX, Ranges.MEAN, Ranges.QUANTILE)
    whole = tuple(QuantizeTflite(keep=keep, ranges=rule) for rule in rules)
    partial = tuple(
        QuantizeTflite(keep=keep, exclude=names[:count])
        for count in _EXCLUDED[effort]
        if count < len(names)
    )
    return (*whole, *partial)


def _integers(chip: Chip) -> Ladder:
    rules = (Ranges.MINMAX, Ranges.MEAN, Ranges.QUANTILE)
    return tuple(IntegerTflite(chip=chip, ranges=rule) for rule in rules)


def _keep(facts: Facts) -> Keep:
    return Keep.THIN if facts.family is Family.CONVOLUTIONAL else Keep.NOTHING
