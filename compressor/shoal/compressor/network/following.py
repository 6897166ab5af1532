"""How each kind of layer passes channels on; what is not named here fixes what it reads."""

from collections.abc import Callable, Mapping
from types import UnionType

import numpy as np
from torch import nn

from shoal.compressor.network.activations import Cast, Clamp, Gelu, OverAxis
from shoal.compressor.network.arithmetic import Arithmetic
from shoal.compressor.network.channels import Along, Ledger, Meeting, Side, Use
from shoal.compressor.network.graph import Network, Step
from shoal.compressor.network.indexing import Cut, Embedding, Pick, Split
from shoal.compressor.network.joining import Concat, Expand, Tile
from shoal.compressor.network.layers import Function
from shoal.compressor.network.normalizing import BatchNorms, InstanceNorms
from shoal.compressor.network.reducing import Reduce
from shoal.compressor.network.resizing import Resize
from shoal.compressor.network.shaping import Reshape, Transpose
from shoal.compressor.network.spatial import Pad, Pool
from shoal.compressor.network.weighted import Convolutions, TransposedConvolutions, is_depthwise

_SPATIAL = (2, 3, 4)
Rule = Callable[[Ledger, Meeting], Along | None]


def follow(network: Network, shapes: Mapping[str, tuple[int, ...]]) -> Ledger:
    """Every channel of the network; `shapes` are those of its values for one row."""
    ledger = Ledger()
    met: dict[nn.Module, list[Use]] = {}
    along: dict[str, Along | None] = {port.value: None for port in network.inputs}
    for step in network.steps:
        layer = network.layers[step.layer]
        meeting = _meeting(step, layer, along, shapes)
        if isinstance(layer, Split):
            found = _split(ledger, meeting)
        else:
            rule = next((rule for kind, rule in RULES if isinstance(layer, kind)), _fixed)
            known = len(ledger.uses)
            found = [rule(ledger, meeting)] * len(step.outputs)
            _met_again(ledger, met, layer, known)
        along.update(zip(step.outputs, found, strict=True))
    for port in network.outputs:
        ledger.fix(along[port.value])
    return ledger


def _met_again(
    ledger: Ledger, met: dict[nn.Module, list[Use]], layer: nn.Module, known: int
) -> None:
    """A layer at work in several places loses the same channels in all of them, and once."""
    new = ledger.uses[known:]
    before = met.setdefault(layer, new)
    if before is new:
        return
    alike = [use.side for use in before] == [use.side for use in new]
    for use in (*before, *new):
        if not alike:
            ledger.fix(Along(0, use.channels))
    if alike:
        for first, again in zip(before, new, strict=True):
            ledger.join(first.channels, again.channels)
    del ledger.uses[known:]


def _meeting(
    step: Step,
    layer: nn.Module,
    along: Mapping[str, Along | None],
    shapes: Mapping[str, tuple[int, ...]],
) -> Meeting:
    return Meeting(
        label=step.label,
        layer=layer,
        along=[along[name] for name in step.inputs],
        shapes=[shapes[name] for name in step.inputs],
        results=[shapes[name] for name in step.outputs if name],
    )


def _fixed(ledger: Ledger, meeting: Meeting) -> None:
    for along in meeting.along:
        ledger.fix(along)


def _kept(ledger: Ledger, meeting: Meeting) -> Along | None:
    layer = meeting.layer
    if isinstance(layer, Function) and layer.operator == "Trilu":
        ledger.fix(meeting.first)  # the triangle counts the channels
    return meeting.first


def _read(ledger: Ledger, meeting: Meeting, axis: int) -> None:
    """The layer reads the channels of one axis; on any other they are not channels to it."""
    if meeting.first is not None and meeting.first.axis == axis:
        ledger.uses.append(meeting.use(Side.READS, meeting.first))
    else:
        ledger.fix(meeting.first)


def _made(ledger: Ledger, meeting: Meeting, axis: int, *, fixed: bool = False) -> Along:
    made = Along(axis, ledger.new(meeting.results[0][axis], fixed=fixed))
    ledger.uses.append(meeting.use(Side.MAKES, made))
    return made


def _convolution(ledger: Ledger, meeting: Meeting) -> Along | None:
    layer = meeting.layer
    assert isinstance(layer, Convolutions | TransposedConvolutions)
    if is_depthwise(layer):
        return _channelwise(ledger, meeting)
    if layer.groups > 1:
        ledger.fix(meeting.first)
        return _made(ledger, meeting, 1, fixed=True)
    _read(ledger, meeting, 1)
    return _made(ledger, meeting, 1)


def _channelwise(ledger: Ledger, meeting: Meeting) -> Along | None:
    """One set of weights a channel, which goes with it."""
    if meeting.first is not None and meeting.first.axis == 1:
        ledger.uses.append(meeting.use(Side.KEEPS, meeting.first))
        return meeting.first
    ledger.fix(meeting.first)
    return None


def _linear(ledger: Ledger, meeting: Meeting) -> Along:
    last = len(meeting.shapes[0]) - 1
    _read(ledger, meeting, last)
    return _made(ledger, meeting, last)


def _embedding(ledger: Ledger, meeting: Meeting) -> Along:
    return _made(ledger, meeting, len(meeting.results[0]) - 1)


def _layer_norm(ledger: Ledger, meeting: Meeting) -> Along | None:
    layer, last = meeting.layer, len(meeting.shapes[0]) - 1
    assert isinstance(layer, nn.LayerNorm)
    if meeting.first is None or meeting.first.axis != last or len(layer.normalized_shape) > 1:
        ledger.fix(meeting.first)
        return None
    ledger.uses.append(meeting.use(Side.KEEPS, meeting.first))
    return meeting.first


def _arithmetic(ledger: Ledger, meeting: Meeting) -> Along | None:
    """Operands that have the channels on one axis share them; others must not need them."""
    layer = meeting.layer
    assert isinstance(layer, Arithmetic)
    result = meeting.results[0]
    full = [a for a in meeting.along if a is not None and len(a.channels) == result[a.axis]]
    axes = {along.axis for along in full}
    if len(axes) != 1:
        _fixed(ledger, meeting)
        return None
    (axis,) = axes
    for along, shape in zip(meeting.along, meeting.shapes, strict=True):
        if along is None and shape[axis] != 1:
            ledger.fix(full[0])
        elif along is not None and along not in full:
            ledger.fix(along)
    for along in full[1:]:
        ledger.join(full[0].channels, along.channels)
    for place, constant in layer.constants.items():
        if constant.shape[axis] == result[axis] != 1:
            ledger.uses.append(meeting.use(Side.KEEPS, full[0], layer.names[place], axis))
    return full[0]


def _concat(ledger: Ledger, meeting: Meeting) -> Along | None:
    layer = meeting.layer
    assert isinstance(layer, Concat)
    axes = {along.axis for along in meeting.along if along is not None}
    if len(axes) != 1 or layer.names:
        _fixed(ledger, meeting)
        return None
    (axis,) = axes
    parts = [
        ledger.new(shape[axis], fixed=True) if along is None else along.channels
        for along, shape in zip(meeting.along, meeting.shapes, strict=True)
    ]
    if axis == layer.axis:
        return Along(axis, np.concatenate(parts))
    for part in parts[1:]:
        ledger.join(parts[0], part)
    return Along(axis, parts[0])


def _reshape(ledger: Ledger, meeting: Meeting) -> Along | None:
    """Channels stay channels where a new axis holds whole ones, in any order and repeated."""
    layer, first = meeting.layer, meeting.first
    assert isinstance(layer, Reshape)
    if first is None:
        return None
    shape = meeting.shapes[0][1:]
    lifted = [len(first.channels) if axis + 1 == first.axis else 1 for axis in range(len(shape))]
    spread = np.broadcast_to(first.channels.reshape(lifted), shape).reshape(meeting.results[0][1:])
    for axis in range(spread.ndim):
        line = np.moveaxis(spread, axis, -1).reshape(-1, spread.shape[axis])
        if (line == line[0]).all():
            layer.tail = tuple(-1 if at == axis else size for at, size in enumerate(spread.shape))
            return Along(axis + 1, line[0])
    ledger.fix(first)
    return None


def _transpose(ledger: Ledger, meeting: Meeting) -> Along | None:  # noqa: ARG001 - every rule has the ledger
    assert isinstance(meeting.layer, Transpose)
    first = meeting.first
    return first and Along(meeting.layer.order.index(first.axis), first.channels)


def _touched(layer: nn.Module) -> tuple[int, ...]:
    """The axes that a layer works along."""
    match layer:
        case Reduce():
            return layer.axes
        case OverAxis() | Pick():
            return (layer.axis,)
        case Cut():
            return tuple(part[0] for part in layer.parts)
        case Pad():
            pads = zip(layer.begin, layer.end, strict=True)
            return tuple(axis for axis, ends in enumerate(pads) if any(ends))
        case Tile():
            return tuple(axis for axis, times in enumerate(layer.repeats) if times != 1)
        case _:
            return _SPATIAL if isinstance(layer, Pool | Resize) else ()


def _beside(ledger: Ledger, meeting: Meeting) -> Along | None:
    """What works along other axes leaves the channels; those behind a dropped axis move up."""
    layer, first = meeting.layer, meeting.first
    if first is None:
        return None
    touched = _touched(layer)
    if first.axis in touched:
        ledger.fix(first)
        return None
    axis = first.axis
    dropped = len(meeting.shapes[0]) - len(meeting.results[0])
    if dropped:
        axis -= sum(other < axis for other in touched)
    if meeting.results[0][axis] != len(first.channels):
        ledger.fix(first)
        return None
    if isinstance(layer, Expand):
        layer.shape = tuple(-1 if at == axis else size for at, size in enumerate(layer.shape))
    return Along(axis, first.channels)


def _split(ledger: Ledger, meeting: Meeting) -> list[Along | None]:
    layer, first = meeting.layer, meeting.first
    assert isinstance(layer, Split)
    if first is not None and first.axis == layer.axis:
        ledger.fix(first)
        first = None
    return [first] * len(layer.sizes)


RULES: tuple[tuple[type | UnionType, Rule], ...] = (
    (Convolutions | TransposedConvolutions, _convolution),
    (nn.Linear, _linear),
    (BatchNorms | InstanceNorms, _channelwise),
    (nn.LayerNorm, _layer_norm),
    (Embedding, _embedding),
    (Arithmetic, _arithmetic),
    (Function | Gelu | Clamp | Cast, _kept),
    (Concat, _concat),
    (Reshape, _reshape),
    (Transpose, _transpose),
    (Reduce | OverAxis | Pick | Cut | Pad | Pool | Resize | Expand | Tile, _beside),
)
