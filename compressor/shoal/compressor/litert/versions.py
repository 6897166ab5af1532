"""Operator versions: which interpreter a file needs.

The quantizer leaves version 1 everywhere. A current LiteRT does not mind, but older ones, the
compiler for Edge TPU and interpreters for microcontrollers pick a kernel by this number.
"""

from typing import Any, Final

from ai_edge_litert import schema_py_generated as schema

_KINDS: Final[dict[int, str]] = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}
_TYPES: Final[dict[int, str]] = {
    code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)
}
_INT8: Final = {  # the first version with signed 8 bits, where it is not the second
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "QUANTIZE": 1,
    "RESHAPE": 1,
    "RELU": 2,
    "HARD_SWISH": 1,
    "SQUEEZE": 1,
}
_WEIGHT_FROM: Final = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 9}  # float inputs


def kind_of(model: Any, operator: Any) -> str:
    """The name of an operator in the schema."""
    code = model.operatorCodes[operator.opcodeIndex]
    return _KINDS.get(max(code.builtinCode, code.deprecatedBuiltinCode), "UNKNOWN")


def element_of(graph: Any, operator: Any) -> str:
    """The type of the numbers that an operator makes, in lower case."""
    return _TYPES[graph.tensors[operator.outputs[0]].type].lower()


def settle(model: Any) -> None:
    """Gives every operator of `model` (a ModelT) the version its tensors ask for."""
    codes: dict[tuple[int, int], int] = {}
    kept: list[Any] = []
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            key = (number, _version(_KINDS.get(number, ""), graph, operator, code.version))
            if key not in codes:
                codes[key] = len(kept)
                kept.append(_code(code, number, key[1]))
            operator.opcodeIndex = codes[key]
    model.operatorCodes = kept


def _version(kind: str, graph: Any, operator: Any, given: int) -> int:
    types = [graph.tensors[one].type for one in operator.inputs if one >= 0]
    if schema.TensorType.INT8 not in types:
        return max(given, 1)
    if types[0] == schema.TensorType.FLOAT32:
        return max(given, _WEIGHT_FROM.get(kind, 1))
    return max(given, _INT8.get(kind, 2))


def _code(given: Any, number: int, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = number
    code.deprecatedBuiltinCode = min(number, 127)
    code.customCode = given.customCode
    code.version = version
    return code
