"""Reads a `.tflite` file into values, with every place, size and count in it checked.

A flatbuffer is offsets into itself. Python reads none outside the file: what points there raises,
and ends as `TruncatedModel`. What is large for its own sake meets the limits of the sandboxed
child that this runs in.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from shoal.compressor import errors
from shoal.compressor.sources.litert.values import Graph, Operator, Scale, Tensor
from shoal.compressor.sources.rows import Array
from shoal.contract import limits
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

IDENTIFIER: Final = b"TFL3"
_AGAIN: Final = "copy or export the file again and compare its size with the original's"
_DAMAGED: Final = (
    *(struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError),
    *(OverflowError, RecursionError),
)
_TYPES: Final = {
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "FLOAT64": "float64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "BOOL": "bool",
}


def read(path: Path) -> Graph:
    """The main graph of the file.

    Raises:
        InvalidError: it is no LiteRT model, damaged, or holds what cannot be turned into ONNX.
    """
    schema = _schema()
    data = path.read_bytes()
    if data[4:8] != IDENTIFIER:
        raise refuse(
            Reason.CONVERSION_FAILED,
            f"{path.name} is not a LiteRT model (a flatbuffer with the mark TFL3)",
            "convert the network with ai-edge-torch or TensorFlow's converter and give that file",
        )
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        return _graph(schema, model)
    except InvalidError:
        raise
    except _DAMAGED:
        raise refuse(
            Reason.TRUNCATED_MODEL, f"{path.name} is cut short or damaged inside", _AGAIN
        ) from None


def refuse(reason: Reason, message: str, hint: str) -> InvalidError:
    """The error for a file that cannot be read or turned into ONNX."""
    return errors.invalid(reason, message, field="MODEL", hint=hint)


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise refuse(
            Reason.MISSING_EXTRA,
            "reading .tflite files needs a package that is not installed",
            "pip install 'shoal[litert]'",
        ) from None
    return schema_py_generated


def _graph(schema: Any, model: Any) -> Graph:
    if not model.subgraphs:
        raise ValueError("no graph")
    main = model.subgraphs[0]
    if len(main.operators) > limits.MODEL_NODES or len(main.tensors) > limits.MODEL_NODES:
        raise refuse(
            Reason.MODEL_TOO_LARGE,
            f"the model has more than {limits.MODEL_NODES} operators or tensors",
            "give a smaller model",
        )
    types = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
    kinds = {
        code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
    }
    tensors = tuple(_tensor(model, tensor, types) for tensor in main.tensors)
    codes = [_kind(code, kinds) for code in model.operatorCodes]
    inputs = _places(main.inputs, len(tensors), least=0)
    outputs = _places(main.outputs, len(tensors), least=0)
    if not outputs:
        raise ValueError("no outputs")
    return Graph(
        tensors=tensors,
        operators=tuple(_operator(one, codes, len(tensors)) for one in main.operators),
        inputs=inputs,
        outputs=outputs,
        names=_names(model, tensors, (*inputs, *outputs)),
    )


def _tensor(model: Any, tensor: Any, types: dict[int, str]) -> Tensor:
    name = (tensor.name or b"").decode(errors="replace")
    shape = tuple(int(d) for d in tensor.shape) if tensor.shape is not None else ()
    if len(shape) > limits.MODEL_DIMS or any(d < 0 for d in shape):
        raise ValueError("a shape")
    kind = types[tensor.type]
    dtype = _TYPES.get(kind)
    if dtype is None or tensor.sparsity is not None:
        what = "sparse" if dtype else kind
        raise refuse(
            Reason.CONVERSION_FAILED,
            f"the tensor {name!r} is {what}, which has no form in ONNX here",
            "convert the network with dense tensors of 8 bits or more",
        )
    signature = tensor.shapeSignature
    return Tensor(
        name=name,
        shape=shape,
        dtype=dtype,
        data=_data(model, tensor, shape, dtype),
        scale=_scale(tensor.quantization, shape),
        open_rows=signature is not None and len(signature) > 0 and int(signature[0]) == -1,
    )


def _data(model: Any, tensor: Any, shape: tuple[int, ...], dtype: str) -> Array | None:
    if not 0 <= tensor.buffer < len(model.buffers):
        raise ValueError("a buffer")
    buffer = model.buffers[tensor.buffer]
    if buffer.offset > 1:
        raise refuse(
            Reason.MODEL_TOO_LARGE,
            "the model keeps its weights behind the file's own tables, as files over 2 GiB do",
            "give a smaller model",
        )
    if buffer.data is None or len(buffer.data) == 0:
        return None
    stored = np.frombuffer(bytes(buffer.data), np.dtype(dtype).newbyteorder("<"))
    return stored.reshape(shape).astype(dtype)


def _scale(given: Any, shape: tuple[int, ...]) -> Scale | None:
    if given is None or given.scale is None or len(given.scale) == 0:
        return None
    if given.details is not None:
        raise refuse(
            Reason.CONVERSION_FAILED,
            "the model has weights quantized in blocks, which have no form in ONNX here",
            "quantize per tensor or per channel, or give the float model",
        )
    scale = np.array(given.scale, np.float32)
    zero = np.zeros(scale.size, np.int64) if given.zeroPoint is None else np.array(given.zeroPoint)
    axis = int(given.quantizedDimension)
    per_channel = scale.size > 1
    if per_channel and not (0 <= axis < len(shape) and shape[axis] == scale.size):
        raise ValueError("a scale")
    if not np.isfinite(scale).all() or zero.size not in {1, scale.size}:
        raise ValueError("a scale")
    return Scale(
        scale=scale, zero_point=np.broadcast_to(zero, scale.shape).astype(np.int64), axis=axis
    )


def _kind(code: Any, kinds: dict[int, str]) -> str:
    number = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
    if kinds.get(number) == "CUSTOM":
        return f"CUSTOM {(code.customCode or b'').decode(errors='replace')}"
    return kinds.get(number, f"number {number}")


def _operator(operator: Any, codes: Sequence[str], tensors: int) -> Operator:
    if not 0 <= operator.opcodeIndex < len(codes):
        raise ValueError("an operator code")
    options = operator.builtinOptions or operator.builtinOptions2
    return Operator(
        kind=codes[operator.opcodeIndex],
        inputs=_places(operator.inputs, tensors, least=-1),
        outputs=_places(operator.outputs, tensors, least=0),
        options={} if options is None else vars(options),
    )


def _places(numbers: Any, tensors: int, *, least: int) -> tuple[int, ...]:
    places = () if numbers is None else tuple(int(one) for one in numbers)
    if any(not least <= one < tensors for one in places):
        raise ValueError("the place of a tensor")
    return places


def _names(model: Any, tensors: tuple[Tensor, ...], edges: tuple[int, ...]) -> dict[int, str]:
    """The names of a signature, which say what users of the model call its edges."""
    names = {place: tensors[place].name or f"tensor{place}" for place in edges}
    for signature in (model.signatureDefs or [])[:1]:
        if signature.subgraphIndex == 0:
            for port in (*(signature.inputs or []), *(signature.outputs or [])):
                names[int(port.tensorIndex)] = (port.name or b"").decode(errors="replace")
    return {place: name for place, name in names.items() if place in edges}
