"""Which quantizations suit a network, an effort and a machine: pure, so that a test can read it.

Each ladder goes from the widest configuration to the narrowest: the next is for when one fails or
misses the floor. Ladders are independent of one another, the most promising first.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from shoal.compressor.analyse.facts import Facts, Family
from shoal.compressor.analyse.sensitivity import Layer
from shoal.compressor.evaluate.environment import Machine
from shoal.compressor.passes.protocol import Effort, Pass
from shoal.compressor.passes.quantize import WEIGHT_OPERATORS, Integers, Ranges, StaticInt8
from shoal.compressor.passes.quantize_half import Half, Halves
from shoal.compressor.passes.quantize_mixed import Mixed, Store
from shoal.compressor.passes.quantize_rows import EmbeddingRows
from shoal.compressor.search.plan import Situation

Ladder = tuple[Pass, ...]

# Where no profile restricts them; fp16 is computed only where a profile asks for it.
ANY_PRECISION: Final = ("fp32", "int8", "int4")
_HALVED_BYTES: Final = 4 << 10
_RANGES: Final = {
    Effort.QUICK: (),
    Effort.BALANCED: (Ranges.PERCENTILE,),
    Effort.THOROUGH: (Ranges.PERCENTILE, Ranges.ENTROPY),
}
_BODY: Final = ("Conv", "Relu", "Clip", "Add")
_WITHOUT_GEMM: Final = ("Conv", "MatMul")
_THIN: Final = 4  # channels that integer kernels take at a time
_DENSE: Final = frozenset({"MatMul", "Gemm"})
_HALVINGS: Final = {Effort.QUICK: (1, 3), Effort.BALANCED: (1, 2, 3), Effort.THOROUGH: (1, 2, 3, 4)}
_KEPT: Final = {Effort.QUICK: (1, 2), Effort.BALANCED: (1, 2, 4), Effort.THOROUGH: (1, 2, 4, 8)}


def ladders(
    facts: Facts,
    layers: tuple[Layer, ...],
    situation: Situation,
    precisions: Sequence[str] = ANY_PRECISION,
) -> tuple[Ladder, ...]:
    """What to try on a network with these facts, whose `layers` come most sensitive first.

    `precisions` are those of a profile that names some. Weights stored in fp16 and computed in fp32
    are fp32; blocks of 4 bits are int4.
    """
    if facts.float_bytes == 0 or facts.quantized or facts.family is Family.TREES:
        return ()
    found = _integer(facts, layers, situation) if "int8" in precisions else []
    if "fp32" in precisions and facts.float_bytes >= _HALVED_BYTES:
        found.append((Half(),))
    if "fp16" in precisions:
        found.append((Half(halves=Halves.COMPUTED),))
    kept = (
        tuple(one for one in ladder if "int4" in precisions or not _in_four_bits(one))
        for ladder in found
    )
    return tuple(ladder for ladder in kept if ladder)


def _integer(facts: Facts, layers: tuple[Layer, ...], situation: Situation) -> list[Ladder]:
    mixed, small = _mixed(layers, situation), _small(layers, situation)
    tables: Ladder = (EmbeddingRows(),) if facts.table_bytes else ()
    match facts.family:
        case Family.TRANSFORMER:
            even = _smooth(layers, situation)
            fine = tuple(replace(one, table_bits=4) for one in even) if tables else ()
            return [even, fine, _blocks(situation), small, _partial(facts, situation), tables]
        case Family.RECURRENT:
            return [mixed, _partial(facts, situation), tables]
        case Family.DENSE:
            return [_static(facts, layers, situation), mixed, small, _blocks(situation), tables]
        case Family.CONVOLUTIONAL:
            static, body = _static(facts, layers, situation), _bodies(layers, situation)
            recurrent = mixed if facts.recurrent_bytes else ()
            return [static, body, _unsigned(situation), *_ranges(situation), recurrent, tables]
        case Family.TREES | Family.OTHER:
            return [tables]


def integers(machine: Machine) -> StaticInt8:
    """The static scheme of a machine's kernels.

    x86 multiplies unsigned by signed bytes; without VNNI such sums saturate at 16 bits, so weights
    give up one bit there. ARM's dot product wants signed by signed.
    """
    return StaticInt8(
        integers=Integers.U8S8 if machine.is_x86 else Integers.S8S8,
        reduce_range=machine.saturates,
    )


def _static(facts: Facts, layers: Sequence[Layer], situation: Situation) -> Ladder:
    """Per channel before per tensor, all operators before the weighted; then without the worst."""
    scheme = integers(situation.machine)
    lists = _operators(facts)
    whole = tuple(
        replace(scheme, per_channel=per_channel, operators=operators)
        for per_channel in (True, False)
        for operators in ((), *lists)
    )
    names = tuple(layer.name for layer in layers)
    partial = tuple(
        replace(scheme, per_channel=per_channel, operators=operators, exclude=names[:kept])
        for kept in _KEPT[situation.effort]
        for per_channel in (True, False)
        for operators in lists[:1]
        if kept < len(names)
    )
    return (*whole, *partial)


def _operators(facts: Facts) -> tuple[tuple[str, ...], ...]:
    """Operators to leave all others in float beside; without Gemm too where there are both."""
    both = facts.count("Gemm") and facts.count("Conv", "MatMul")
    return (WEIGHT_OPERATORS, _WITHOUT_GEMM) if both else (WEIGHT_OPERATORS,)


def _partial(facts: Facts, situation: Situation) -> Ladder:
    """Static int8 of convolutions and products alone: in attention all else is too delicate.

    Ranges that are fixed seldom fit attention at all, so without convolutions only long searches
    look at them.
    """
    scheme = replace(integers(situation.machine), operators=_WITHOUT_GEMM)
    if facts.convolution_bytes:
        return (scheme, replace(scheme, operators=("Conv",)))
    return (scheme,) if situation.effort is Effort.THOROUGH else ()


def _bodies(layers: Sequence[Layer], situation: Situation) -> Ladder:
    """Only what is faster in int8: not pooling, not the first convolution, not the last product.

    Larger than int8 throughout, and faster on small nets. Scales per tensor cost less than scales
    per channel, and are enough where this is accepted.
    """
    scheme = replace(
        integers(situation.machine), operators=_BODY, least_channels=_THIN, per_channel=False
    )
    worst = tuple(layer.name for layer in layers[:1])
    exact = replace(scheme, per_channel=True)
    return (scheme, exact, replace(exact, exclude=worst))


def _unsigned(situation: Situation) -> Ladder:
    """Weights of full range where signed ones would saturate: exact, through slower kernels."""
    if not situation.machine.saturates:
        return ()
    return (StaticInt8(integers=Integers.U8U8, per_channel=False),)


def _ranges(situation: Situation) -> tuple[Ladder, ...]:
    """Other ways to take ranges, as far as there is time to look at them."""
    scheme = integers(situation.machine)
    return tuple((replace(scheme, ranges=one),) for one in _RANGES[situation.effort])


def _smooth(layers: Sequence[Layer], situation: Situation) -> tuple[Mixed, ...]:
    """Dynamic int8 with smoothed activations, then with the noisiest layers in blocks besides."""
    return tuple(replace(one, smooth=True) for one in _mixed(layers, situation))


def _mixed(layers: Sequence[Layer], situation: Situation) -> tuple[Mixed, ...]:
    """All products in dynamic int8; then half of the noise, a quarter, … in weight blocks."""
    scheme = Mixed(reduce_range=situation.machine.saturates)
    dense = [layer for layer in layers if layer.operator in _DENSE]
    finer = tuple(
        replace(scheme, blocks8=names)
        for names in (_noisiest(dense, 0.5**halving) for halving in _HALVINGS[situation.effort])
        if 0 < len(names) < len(dense)
    )
    return tuple(dict.fromkeys((scheme, *finer)))


def _small(layers: Sequence[Layer], situation: Situation) -> Ladder:
    """4 bits throughout; then 8 for the noisier half of layers, for most, and for all but tables.

    Two thirds of the layers hold nearly all the noise: the rest bears 4 bits beside 8-bit ones.
    """
    order = tuple(layer.name for layer in layers if layer.operator in _DENSE)
    whole = Mixed(most=Store.BLOCKS4, table_bits=4)
    finest = Mixed(most=Store.BLOCKS8, table_bits=4)
    between = (
        replace(whole, blocks8=order[: len(order) // 2]),
        replace(finest, blocks4=order[2 * len(order) // 3 :]),
    )
    if situation.effort is Effort.QUICK:
        return (finest,)
    return (whole, *(one for one in between if order), finest)


def _blocks(situation: Situation) -> Ladder:
    """All products in weight blocks: slower than dynamic int8, and closer to the source."""
    return () if situation.effort is Effort.QUICK else (Mixed(most=Store.BLOCKS8),)


def _in_four_bits(one: Pass) -> bool:
    if isinstance(one, Mixed):
        return bool(one.blocks4) or one.most is Store.BLOCKS4 or one.table_bits == 4
    return False


def _noisiest(layers: Sequence[Layer], left: float) -> tuple[str, ...]:
    """The fewest layers without which at most the share `left` of the noise remains.

    Noises of layers add up. Example: 20, 23 and 30 dB are noises of 0.01, 0.005 and 0.001 of the
    signal; without the first 0.006 of 0.016 is left, which is 0.375.
    """
    noises = sorted(
        ((10 ** (-layer.sqnr_db / 10), layer.name) for layer in layers),
        key=lambda one: (-one[0], one[1]),
    )
    total = math.fsum(noise for noise, _ in noises)
    named: list[str] = []
    rest = total
    for noise, name in noises:
        if rest <= left * total:
            break
        named.append(name)
        rest -= noise
    return tuple(named)
