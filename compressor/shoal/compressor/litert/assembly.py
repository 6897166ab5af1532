"""The parts of a `.tflite` file while it is written: tensors, stored numbers and operators."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto

from shoal.compressor.litert import flatfile
from shoal.compressor.litert.graph import refusal
from shoal.compressor.passes.protocol import Array

ACTIVATION: Final = schema.ActivationFunctionType
_TYPES: Final = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.bool_): schema.TensorType.BOOL,
}
_ELEMENTS: Final[dict[int, int]] = {
    TensorProto.FLOAT: schema.TensorType.FLOAT32,
    TensorProto.INT32: schema.TensorType.INT32,
    TensorProto.INT64: schema.TensorType.INT64,
    TensorProto.BOOL: schema.TensorType.BOOL,
}
_LAST_OLD_CODE: Final = 127


class Assembly:
    """Grows one graph; a tensor is known by its place. Names are told apart by a suffix."""

    def __init__(self) -> None:
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._codes: dict[int, int] = {}
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], int] = {}
        self._names: set[str] = set()

    def name(self, tensor: int) -> str:
        """The name of a tensor in this file."""
        found: str = self._tensors[tensor].name
        return found

    def tensor(self, name: str, shape: Sequence[int], element: int) -> int:
        """A computed tensor of an onnx element type.

        Raises:
            PassError: UnsupportedOperator, LiteRT has no such type.
        """
        if element not in _ELEMENTS:
            raise refusal(f"{name!r} is of a type that has no form in LiteRT")
        return self._tensor(name, shape, _ELEMENTS[element])

    def constant(self, array: Array) -> int:
        """A stored tensor, one for equal arrays; float64 and float16 are written as float32."""
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        if array.dtype not in _TYPES:
            raise refusal(f"stored numbers of type {array.dtype} have no form in LiteRT")
        data = np.ascontiguousarray(array)
        key = (data.dtype.str, data.tobytes(), array.shape)
        if key not in self._constants:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(key[1], np.uint8)
            self._buffers.append(buffer)
            place = self._tensor("c", array.shape, _TYPES[data.dtype])
            self._tensors[place].buffer = len(self._buffers) - 1
            self._constants[key] = place
        return self._constants[key]

    def operator(
        self, kind: str, inputs: Sequence[int], outputs: Sequence[int], options: dict[str, Any]
    ) -> None:
        """Appends an operator; the entry `Options` in `options` names their table in the schema."""
        code = getattr(schema.BuiltinOperator, kind)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array(outputs, np.int32)
        table = options.get("Options")
        if table is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(schema, table + "T")()
            for key, value in options.items():
                setattr(operator.builtinOptions, key, value)
        self._operators.append(operator)

    def finish(self, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        """The file; `inputs` and `outputs` name its edges in a signature."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs = np.array(list(inputs.values()), np.int32)
        graph.outputs = np.array(list(outputs.values()), np.int32)
        signature = schema.SignatureDefT()
        signature.signatureKey = flatfile.SIGNATURE
        signature.inputs, signature.outputs = _ports(inputs), _ports(outputs)
        model = schema.ModelT()
        model.version = 3
        model.operatorCodes = [_code(kind) for kind in self._codes]
        model.subgraphs, model.buffers = [graph], self._buffers
        model.signatureDefs = [signature]
        return flatfile.pack(model)

    def _tensor(self, name: str, shape: Sequence[int], kind: int) -> int:
        place = len(self._tensors)
        tensor = schema.TensorT()
        tensor.name = name if name not in self._names else f"{name}_{place}"
        self._names.add(tensor.name)
        tensor.type, tensor.shape = kind, np.array(shape, np.int32)
        self._tensors.append(tensor)
        return place


def _code(kind: int) -> Any:
    """Readers before 2020 know the first 127 operators by another field, so both are written."""
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = kind, 1
    code.deprecatedBuiltinCode = min(kind, _LAST_OLD_CODE)
    return code


def _ports(named: dict[str, int]) -> list[Any]:
    ports = []
    for name, tensor in named.items():
        port = schema.TensorMapT()
        port.name, port.tensorIndex = name, tensor
        ports.append(port)
    return ports
