"""Small graphs of one operator repeated, whose times tell what that operator costs on a machine.

Each is a chain, so that what a session costs by itself is shared by several operators; sizes go
from what a microcontroller's net has to what a laptop's has.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.sources.rows import Array

_LINKS: Final = 4
_MANY: Final = 16  # of links so small that their call is all they cost
_SMALL: Final = (1, 32)
_IMAGES: Final = (
    (8, 14),
    (8, 28),
    (16, 8),
    (64, 8),
    (16, 56),
    (32, 28),
    (128, 14),
)  # channels, side
_DEEP: Final = ((64, 4), (128, 2), (128, 4))  # the end of a small net: weights that fit a cache
_DEEP_LINKS: Final = 2
# What a net is given: channels, side, side of the first kernel.
_FIRST: Final = ((1, 8, 3), (1, 28, 5), (1, 48, 3), (3, 32, 3), (3, 64, 5), (3, 96, 3), (4, 64, 3))
_MATRICES: Final = ((1, 128), (1, 512), (1, 1024), (32, 256), (32, 768))  # rows, width
_FIRST_OUT: Final = 16
_BLOCK: Final = 128  # as the passes make them
_SCALE: Final = 0.02
_MICROSOFT: Final = "com.microsoft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A graph and the row it is run on."""

    model: bytes
    feed: dict[str, Array]


class _Chain:
    """A graph under construction, from `x` on."""

    def __init__(self, start: Array) -> None:
        self.start = start
        self.last = "x"
        self.dtype = start.dtype
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(0)

    def add(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> None:
        """A link that reads the one before and `inputs`."""
        name = f"v{len(self._nodes)}"
        node = helper.make_node(kind, [self.last, *inputs], [name], domain=domain, **attributes)
        self._nodes.append(node)
        self.last = name

    def weight(self, *shape: int, dtype: Any = np.float32) -> str:
        """Random numbers: small floats, or any of an integer type."""
        if np.dtype(dtype).kind == "f":
            return self.stored((self._random.normal(size=shape) * 0.05).astype(dtype))
        bounds = np.iinfo(dtype)
        return self.stored(self._random.integers(bounds.min, bounds.max, shape).astype(dtype))

    def stored(self, array: Array) -> str:
        """A weight of these numbers."""
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(array, name))
        return name

    def probe(self) -> Probe:
        """The finished graph."""
        kind = helper.np_dtype_to_tensor_dtype(self.start.dtype)
        made = TensorProto.UINT8 if self.start.dtype == np.uint8 else kind
        graph = helper.make_graph(
            self._nodes,
            "probe",
            [helper.make_tensor_value_info("x", kind, list(self.start.shape))],
            [helper.make_tensor_value_info(self.last, made, None)],
            self._weights,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        return Probe(model=model.SerializeToString(), feed={"x": self.start})


_Link = Callable[[_Chain], None]


def all_probes() -> Iterator[Probe]:
    """Every probe, cheap ones first."""
    for links, shapes, floats, integers in _grids():
        for shape in shapes:
            for dtype, chosen in ((np.float32, floats), (np.uint8, integers)):
                yield from (_chain(np.ones(shape, dtype), link, links) for link in chosen)
    for channels, side, kernel in _FIRST:
        for dtype, first in ((np.float32, _first_conv), (np.uint8, _quantized_first_conv)):
            image = np.ones((1, channels, side, side), dtype)
            yield _chain(image, functools.partial(first, kernel=kernel), 1)
    for width in (32, 256, 640):
        yield _chain(np.ones((20, 1, width), np.float32), _recurrent, 1)


def _grids() -> Iterator[
    tuple[int, Iterable[tuple[int, ...]], tuple[_Link, ...], tuple[_Link, ...]]
]:
    """How many links, on what shapes, of which operators: on floats, and on bytes."""
    yield (
        _LINKS,
        _MATRICES,
        (_matmul, _relu, _softmax, _norm, _dynamic, _blocks8, _blocks4, _add),
        (_quantized_gemm, _quantized_add),
    )
    yield _MANY, (_SMALL,), (_add, _relu, _rounded), (_quantized_add,)
    convolutions = (_quantized_conv3, _quantized_conv5, _quantized_conv1, _quantized_depthwise)
    yield (
        _LINKS,
        [(1, channels, side, side) for channels, side in _IMAGES],
        (_conv3, _conv5, _conv1, _depthwise, _pool, _average, _add),
        (*convolutions, _quantized_add, _quantized_pool, _quantized_average),
    )
    deep = [(1, channels, side, side) for channels, side in _DEEP]
    yield _DEEP_LINKS, deep, (_conv3, _conv1), (_quantized_conv3, _quantized_conv1)


def _chain(start: Array, link: _Link, links: int) -> Probe:
    chain = _Chain(start)
    for _ in range(links):
        link(chain)
    return chain.probe()


def _matmul(chain: _Chain) -> None:
    width = chain.start.shape[-1]
    chain.add("MatMul", chain.weight(width, width))


def _relu(chain: _Chain) -> None:
    chain.add("Relu")
    chain.add("Neg")


def _softmax(chain: _Chain) -> None:
    chain.add("Softmax", axis=-1)


def _norm(chain: _Chain) -> None:
    width = chain.start.shape[-1]
    chain.add("LayerNormalization", chain.weight(width), chain.weight(width), axis=-1)


def _add(chain: _Chain) -> None:
    chain.add("Add", "x")


def _rounded(chain: _Chain) -> None:
    scale, zero = _scale(chain), chain.stored(np.array(0, np.uint8))
    chain.add("QuantizeLinear", scale, zero)
    chain.add("DequantizeLinear", scale, zero)


def _dynamic(chain: _Chain) -> None:
    width = chain.start.shape[-1]
    scale, zero = chain.weight(width), chain.stored(np.zeros(width, np.int8))
    weight = chain.weight(width, width, dtype=np.int8)
    chain.add("DynamicQuantizeMatMul", weight, scale, zero, domain=_MICROSOFT)


def _blocks8(chain: _Chain) -> None:
    _blocks(chain, 8)


def _blocks4(chain: _Chain) -> None:
    _blocks(chain, 4)


def _blocks(chain: _Chain, bits: int) -> None:
    width = chain.start.shape[-1]
    packed = chain.weight(width, width // _BLOCK, _BLOCK * bits // 8, dtype=np.uint8)
    scales = chain.weight(width * width // _BLOCK)
    sizes = {"K": width, "N": width, "bits": bits, "block_size": _BLOCK}
    chain.add("MatMulNBits", packed, scales, domain=_MICROSOFT, accuracy_level=4, **sizes)


def _quantized_gemm(chain: _Chain) -> None:
    width = chain.start.shape[-1]
    scale, zero = _scale(chain), chain.stored(np.array(0, np.uint8))
    weight = chain.weight(width, width, dtype=np.int8)
    scales = chain.stored(np.full(width, _SCALE, np.float32))
    inputs = (scale, zero, weight, scales, chain.stored(np.zeros(width, np.int8)))
    bias = chain.stored(np.zeros(width, np.int32))
    chain.add("QGemm", *inputs, bias, scale, zero, domain=_MICROSOFT)


def _quantized_add(chain: _Chain) -> None:
    scale, zero = _scale(chain), chain.stored(np.array(0, np.uint8))
    inputs = (scale, zero, "x", scale, zero, scale, zero)
    chain.add("QLinearAdd", *inputs, domain=_MICROSOFT)


def _conv3(chain: _Chain) -> None:
    channels = chain.start.shape[1]
    chain.add("Conv", chain.weight(channels, channels, 3, 3), pads=[1, 1, 1, 1])


def _conv5(chain: _Chain) -> None:
    channels = chain.start.shape[1]
    chain.add("Conv", chain.weight(channels, channels, 5, 5), pads=[2, 2, 2, 2])


def _conv1(chain: _Chain) -> None:
    channels = chain.start.shape[1]
    chain.add("Conv", chain.weight(channels, channels, 1, 1))


def _depthwise(chain: _Chain) -> None:
    channels = chain.start.shape[1]
    chain.add("Conv", chain.weight(channels, 1, 3, 3), pads=[1, 1, 1, 1], group=channels)


def _pool(chain: _Chain) -> None:
    chain.add("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def _average(chain: _Chain) -> None:
    chain.add("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def _quantized_pool(chain: _Chain) -> None:
    _quantized_conv1(chain)  # after a convolution the runtime pools with channels last
    chain.add("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def _quantized_average(chain: _Chain) -> None:
    _quantized_conv1(chain)
    scale, zero = _scale(chain), chain.stored(np.array(0, np.uint8))
    inputs, around = (scale, zero, scale, zero), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    chain.add("QLinearAveragePool", *inputs, domain=_MICROSOFT, **around)


def _quantized_conv3(chain: _Chain) -> None:
    channels = chain.start.shape[1]
    _quantized_conv(chain, (channels, channels, 3, 3), pads=[1, 1, 1, 1])


def _quantized_conv5(chain: _Chain) -> None:
    channels = chain.start.shape[1]
    _quantized_conv(chain, (channels, channels, 5, 5), pads=[2, 2, 2, 2])


def _quantized_conv1(chain: _Chain) -> None:
    channels = chain.start.shape[1]
    _quantized_conv(chain, (channels, channels, 1, 1))


def _quantized_depthwise(chain: _Chain) -> None:
    channels = chain.start.shape[1]
    _quantized_conv(chain, (channels, 1, 3, 3), pads=[1, 1, 1, 1], group=channels)


def _first_conv(chain: _Chain, kernel: int) -> None:
    weight = chain.weight(_FIRST_OUT, chain.start.shape[1], kernel, kernel)
    chain.add("Conv", weight, pads=[kernel // 2] * 4)


def _quantized_first_conv(chain: _Chain, kernel: int) -> None:
    shape = (_FIRST_OUT, chain.start.shape[1], kernel, kernel)
    _quantized_conv(chain, shape, pads=[kernel // 2] * 4)


def _quantized_conv(chain: _Chain, kernel: tuple[int, ...], **attributes: Any) -> None:
    channels = kernel[0]
    scale, zero = _scale(chain), chain.stored(np.array(0, np.uint8))
    weight = chain.weight(*kernel, dtype=np.int8)
    scales = chain.stored(np.full(channels, _SCALE, np.float32))
    inputs = (scale, zero, weight, scales, chain.stored(np.zeros(channels, np.int8)), scale, zero)
    chain.add("QLinearConv", *inputs, **attributes)


def _recurrent(chain: _Chain) -> None:
    width = chain.start.shape[-1]
    weights = (chain.weight(1, 4 * width, width), chain.weight(1, 4 * width, width))
    chain.add("LSTM", *weights, hidden_size=width)


def _scale(chain: _Chain) -> str:
    return chain.stored(np.array(_SCALE, np.float32))
