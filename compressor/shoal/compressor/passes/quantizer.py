"""How onnxruntime's quantizers are run: on files of their own, on named nodes, row by row, quietly.

The quantizers change the model object they are given, tell nodes apart by name (two without one are
the same to them), advise through the root logger and print how far they are.
"""

import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from shoal.compressor.passes.protocol import Array, PassContext, PassError
from shoal.compressor.rejections import Rejection

# What a tensor is taken for where shapes cannot be inferred, behind an operator of another domain.
UNKNOWN_IS_FLOAT: Final = {"DefaultTensorType": onnx.TensorProto.FLOAT}
_CALIBRATED_BYTES: Final = 16 << 30  # weights read over all calibration rows: some ten seconds
_ROWS_AT_LEAST: Final = 32


class Reader:
    """Feeds calibration rows one by one, as the quantizer's CalibrationDataReader does."""

    def __init__(self, context: PassContext, rows: int) -> None:
        self._feeds = (feed for feed, _ in zip(feeds(context), range(rows), strict=False))

    def get_next(self) -> Mapping[str, Array] | None:
        """The next row, or None after the last: the quantizer's own protocol."""
        return next(self._feeds, None)


def feeds(context: PassContext) -> Iterator[dict[str, Array]]:
    """The calibration rows as inference feeds, batch 1."""
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim) for value in context.source.graph.input
    }
    count = len(next(iter(context.calibration.values())))
    for row in range(count):
        yield {
            name: np.asarray(array[row : row + 1] if array.ndim == ranks[name] else array[row])
            for name, array in context.calibration.items()
        } | dict(context.constants)


def calibration_rows(model: onnx.ModelProto) -> int:
    """How many rows ranges are taken from at most, so that large models do not take minutes.

    Example: 100 MiB of weights are read 163 times; under 16 MiB there are 1,024 rows and more.
    """
    return max(_ROWS_AT_LEAST, _CALIBRATED_BYTES // max(model.ByteSize(), 1))


def with_node_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose nodes all have names, none twice, and share weights as quantizers can bear."""
    named = with_straight_weights(model)
    for index, node in enumerate(named.graph.node):
        node.name = f"n{index}"
    return named


def names_of(named: onnx.ModelProto, outputs: Iterable[str]) -> list[str]:
    """The names of the nodes with these outputs: unlike node names, every graph has outputs."""
    wanted = set(outputs)
    return [node.name for node in named.graph.node if wanted & set(node.output)]


def thin(named: onnx.ModelProto, channels: int) -> list[str]:
    """The names of convolutions that mix fewer than `channels` channels, as one of an image does.

    Integer kernels take channels four at a time, so that these are slower than in float.
    """
    widths = {tensor.name: tensor.dims[1:2] for tensor in named.graph.initializer}
    return [
        node.name
        for node in named.graph.node
        if node.op_type == "Conv"
        and all(attribute.i == 1 for attribute in node.attribute if attribute.name == "group")
        and any(width < channels for width in widths.get(node.input[1], ()))
    ]


def with_flat_biases(named: onnx.ModelProto) -> onnx.ModelProto:
    """`named` with Gemm's biases of shape [1, n] as [n]; others break the quantizer per channel."""
    biases = {
        node.input[2] for node in named.graph.node if node.op_type == "Gemm" and node.input[2:]
    }
    other = {
        name
        for node in named.graph.node
        for place, name in enumerate(node.input)
        if (node.op_type, place) != ("Gemm", 2)
    }
    for tensor in named.graph.initializer:
        if tensor.name in biases - other and len(tensor.dims) == 2 and tensor.dims[0] == 1:
            del tensor.dims[0]
    return named


def with_straight_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose Gemms that share a transposed weight read it untransposed.

    The quantizers transpose the weight once for each of them, as steps of an unrolled recurrent
    cell are: every other time it would end as it was.
    """
    straight = onnx.ModelProto()
    straight.CopyFrom(model)
    readers: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
    for node in straight.graph.node:
        for place, name in enumerate(node.input):
            readers.setdefault(name, []).append((node, place))
    for tensor in straight.graph.initializer:
        nodes = [node for node, place in readers.get(tensor.name, []) if _is_turned(node, place)]
        if len(nodes) < 2 or len(nodes) < len(readers[tensor.name]):
            continue
        turned = np.ascontiguousarray(onnx.numpy_helper.to_array(tensor).T)
        tensor.CopyFrom(onnx.numpy_helper.from_array(turned, tensor.name))
        for node in nodes:
            kept = [one for one in node.attribute if one.name != "transB"]
            del node.attribute[:]
            node.attribute.extend(kept)
    return straight


def _is_turned(node: onnx.NodeProto, place: int) -> bool:
    """Whether `node` is a Gemm that transposes what it reads at `place`, its weight."""
    turned = any(one.name == "transB" and one.i for one in node.attribute)
    return node.op_type == "Gemm" and place == 1 and turned


def through_files(model: onnx.ModelProto, run: Callable[[Path, Path], None]) -> onnx.ModelProto:
    """What `run` makes of `model`, from a file to a file.

    Raises:
        PassError: BuildFailed, `run` raised.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        onnx.save(model, source)
        with quantizing():
            run(source, target)
            return onnx.load(target)


@contextmanager
def quantizing() -> Iterator[None]:
    """Keeps the quantizer's words to itself, and tells its errors as refusals.

    Importing its block quantizer configures the root logger; handlers it adds are taken away.

    Raises:
        PassError: BuildFailed, the quantizer raised.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except PassError:
        raise
    except Exception as error:
        text = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise PassError(
            Rejection.BUILD_FAILED, f"onnxruntime's quantizer raised: {text}"
        ) from error
    finally:
        root.setLevel(level)
        for handler in [one for one in root.handlers if one not in handlers]:
            root.removeHandler(handler)
