"""What an Edge TPU takes of a file, and its compiler where that is installed.

Source of the table: "TensorFlow models on the Edge TPU", supported operations,
https://coral.ai/docs/edgetpu/models-intro/. Everything behind the first operator that the chip
does not take runs on the CPU too, because the compiler makes one piece of a graph.
"""

import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from shoal.compressor.litert import flatfile, versions

COMPILER: Final = "edgetpu_compiler"
_TIMEOUT_S: Final = 300
_SOFTMAX_AT_MOST: Final = 16_000
_TYPES: Final = {schema.TensorType.INT8, schema.TensorType.UINT8}

Limit = Callable[[Any, Any, Any], str]  # (model, graph, operator) -> why not, empty where it may


def report(data: bytes) -> dict[str, Any]:
    """`{"operators": n, "on_chip": n, "on_cpu": [{"operator", "count", "why"}]}`."""
    model = flatfile.unpack(data)
    graph = model.subgraphs[0]
    left: Counter[tuple[str, str]] = Counter()
    stopped = ""
    for operator in graph.operators:
        kind = versions.kind_of(model, operator)
        why = _why_not(model, graph, operator) or stopped
        if why:
            left[kind, why] += 1
            stopped = stopped or f"it comes after {kind}, which ends the part for the chip"
    return {
        "operators": len(graph.operators),
        "on_chip": len(graph.operators) - left.total(),
        "on_cpu": [
            {"operator": kind, "count": count, "why": why} for (kind, why), count in left.items()
        ],
    }


class CompilerError(Exception):
    """The compiler refuses a file; the sentence says how."""


def compile_file(data: bytes) -> bytes | None:
    """The file compiled for the chip; None where no compiler is on PATH.

    Raises:
        CompilerError: the compiler refuses the file.
    """
    program = shutil.which(COMPILER)
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.tflite"
        source.write_bytes(data)
        command = [program, "-s", "-o", folder, str(source)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise _refused(f"took more than {_TIMEOUT_S} s") from None
        made = Path(folder) / "model_edgetpu.tflite"
        if done.returncode != 0 or not made.is_file():
            lines = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
            raise _refused(f"ended with status {done.returncode}: {lines[0][:300]}")
        return made.read_bytes()


def _refused(how: str) -> CompilerError:
    return CompilerError(f"{COMPILER} {how}")


def _why_not(model: Any, graph: Any, operator: Any) -> str:
    kind = versions.kind_of(model, operator)
    if kind not in _TAKEN:
        return "the chip has no such operator"
    if any(graph.tensors[one].type not in _TYPES for one in operator.outputs):
        return "it computes in float"
    limit = _TAKEN[kind]
    return "" if limit is None else limit(model, graph, operator)


def _no_activation(model: Any, graph: Any, operator: Any) -> str:
    del model, graph
    options = operator.builtinOptions
    fused = 0 if options is None else options.fusedActivationFunction
    return "the chip fuses no activation into it" if fused else ""


def _even_dilation(model: Any, graph: Any, operator: Any) -> str:
    del model, graph
    options = operator.builtinOptions
    even = options.dilationHFactor == options.dilationWFactor
    return "" if even else "its dilation differs between rows and columns"


def _no_dilation(model: Any, graph: Any, operator: Any) -> str:
    del model, graph
    options = operator.builtinOptions
    return "it is dilated" if (options.dilationHFactor, options.dilationWFactor) != (1, 1) else ""


def _one_row(model: Any, graph: Any, operator: Any) -> str:
    del model
    shape = graph.tensors[operator.outputs[0]].shape
    return "" if int(np.prod(shape[:-1])) == 1 else "its result has more than one row"


def _image_axes(model: Any, graph: Any, operator: Any) -> str:
    axes = model.buffers[graph.tensors[operator.inputs[1]].buffer].data
    places = set(np.frombuffer(bytes(axes), np.int32).tolist())
    return "" if places <= {1, 2} else "it reduces other axes than rows and columns"


def _image_pads(model: Any, graph: Any, operator: Any) -> str:
    stored = model.buffers[graph.tensors[operator.inputs[1]].buffer].data
    amounts = np.frombuffer(bytes(stored), np.int32).reshape(-1, 2)
    inner = amounts[[0, -1]] if len(amounts) == 4 else amounts
    return "it pads other axes than rows and columns" if inner.any() else ""


def _unit_steps(model: Any, graph: Any, operator: Any) -> str:
    steps = model.buffers[graph.tensors[operator.inputs[3]].buffer].data
    unit = (np.frombuffer(bytes(steps), np.int32) == 1).all()
    return "" if unit else "it takes steps of more than one"


def _short(model: Any, graph: Any, operator: Any) -> str:
    del model
    size = int(np.prod(graph.tensors[operator.inputs[0]].shape))
    return "" if size <= _SOFTMAX_AT_MOST else f"it has more than {_SOFTMAX_AT_MOST} entries"


_TAKEN: Final[dict[str, Limit | None]] = {
    **dict.fromkeys(
        (
            *("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "RSQRT"),
            *("RELU", "RELU6", "RELU_N1_TO_1", "PRELU", "LOGISTIC", "TANH", "QUANTIZE"),
            *("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "PACK", "SLICE", "SPLIT"),
            *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SPACE_TO_DEPTH", "TRANSPOSE_CONV"),
            *("SUM", "REDUCE_MAX", "REDUCE_MIN", "L2_NORMALIZATION"),
        ),
        None,
    ),
    "AVERAGE_POOL_2D": _no_activation,
    "MAX_POOL_2D": _no_activation,
    "CONCATENATION": _no_activation,
    "CONV_2D": _even_dilation,
    "DEPTHWISE_CONV_2D": _no_dilation,
    "FULLY_CONNECTED": _one_row,
    "MEAN": _image_axes,
    "PAD": _image_pads,
    "STRIDED_SLICE": _unit_steps,
    "SOFTMAX": _short,
}
