"""The program inside a .pt2, reduced to what cannot run anything but PyTorch's own operators.

`torch.export.load` trusts the text of a program: operators are looked up by dotted path from the
`torch` module itself, symbolic sizes and guards are evaluated as Python, and structures may import
modules. So every string in it is held against what it may be, and what is only said for people or
for later checks (metadata, guards) is left out.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from shoal.compressor import errors
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

SCHEMA_MAJOR: Final = 8  # torch._export.serde.schema of torch 2.13
_WORD: Final = re.compile(r"-?[\w.]{0,500}")
_PATH: Final = re.compile(r"[\w.:/ -]{0,500}")  # of a module: its parts may be any keys
_PATHS: Final = {"parameter_name", "buffer_name", "tensor_constant_name", "fqn"}
_KEY: Final = re.compile(r"\w{1,100}")
_TENSOR_OPERATOR: Final = re.compile(
    r"torch\.ops\.(aten|prims|higher_order)\.(?!__)\w+(\.(?!__)\w+)?"
    r"|torch\.ops\.aten\.__(i?and|i?or|i?xor|i?lshift|i?rshift)__\.(Tensor|Scalar)"
    r"|torch\.sym_(int|float|max|min|not|ite|sum|sqrt)|torch\.sym_(max|min)"
)
_SCALAR_OPERATORS: Final = {
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos", "abs"),
    *("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_", "xor", "not_", "getitem"),
    *("lshift", "rshift"),
}
_MATH: Final = {"ceil", "floor", "trunc", "sqrt", "log2", "pow"}
_FUNCTIONS: Final = {  # of sizes: torch.utils._sympy.functions, and sympy's own
    *("FloorDiv", "CleanDiv", "CeilDiv", "IntTrueDiv", "FloatTrueDiv", "ModularIndexing"),
    *("Mod", "PythonMod", "Where", "Max", "Min", "PowByNatural", "FloatPow", "LShift", "RShift"),
    *("ToFloat", "TruncToInt", "TruncToFloat", "FloorToInt", "CeilToInt", "RoundToInt"),
    *("RoundDecimal", "Identity", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not"),
    *("Integer", "Rational", "Float", "Add", "Mul", "Pow"),
    *("True", "False", "Abs", "floor", "ceiling", "OpaqueUnaryFn_sqrt"),
}
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_]\w*)|\d{1,20}(?:\.\d{1,20})?|[-+*/%(),<>=&|~!])"
)
_SYMBOL: Final = re.compile(r"[a-z]{1,5}\d{1,9}")
_DECLARED: Final = re.compile(  # a symbol as sympy.srepr writes it, with what is assumed of it
    r"Symbol\('([a-z]{1,5}\d{1,9})'"
    r"(?:, (?:positive|nonnegative|integer|real)=(?:True|False)){0,4}\)"
)
_CONTAINERS: Final = {"builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
_BY_NAME: Final = {
    *("tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"),
    *("custom_obj_values", "config", "opset_version", "as_string_to_argument"),
}
_FREE_TEXT: Final = {"as_string", "as_strings", "torch_version"}
_CPU: Final = {"type": "cpu", "index": None}
_TITLES: Final = "nn_module_stack"

Json = Any


def wash(program: Json) -> Json:
    """A copy of a serialised program (or payload index) that is safe to hand to torch.

    Raises:
        InvalidError: UnsafeFormat, with the text that is none of PyTorch's own.
    """
    try:
        return _clean(program, "")
    except RecursionError:
        raise _refuse("is nested too deeply") from None


def _clean(value: Json, key: str) -> Json:
    special = _SPECIAL.get(key)
    if special is not None and value is not None:
        return special(value)
    if isinstance(value, dict):
        if key in _BY_NAME:  # below it keys are the model's own names, not the schema's
            return {_path(name): _clean(part, "") for name, part in value.items()}
        return {_word(name): _clean(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_clean(part, key) for part in value]
    if isinstance(value, str) and key not in _FREE_TEXT:
        return _path(value) if key in _PATHS else _word(value)
    return value


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise _refuse(f"has a name that is none: {text[:80]!r}")
    return text


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise _refuse(f"has a name that is none: {text[:80]!r}")
    return text


def _operator(text: Json) -> Json:
    """An operator of PyTorch's own, by its full name."""
    if isinstance(text, str):
        module, _, name = text.partition(".")
        if module == "_operator" and name in _SCALAR_OPERATORS:
            return text
        if module == "math" and name in _MATH:
            return text
        if _TENSOR_OPERATOR.fullmatch(text):
            return text
    raise _refuse(f"calls {str(text)[:80]!r}, which is no operator of PyTorch's own")


def _expression(text: Json) -> Json:
    """An expression of sizes: numbers, symbols such as s0, and known functions of them."""
    if not isinstance(text, str) or len(text) > 2_000:
        raise _refuse("has a size that is no expression")
    plain = _DECLARED.sub(r"\1", text)
    at = 0
    while at < len(plain):
        token = _TOKEN.match(plain, at)
        name = token and token["name"]
        if token is None or (name and name not in _FUNCTIONS and not _SYMBOL.fullmatch(name)):
            raise _refuse(f"has a size that is no expression: {text[:80]!r}")
        at = token.end()
    return text


def _ranges(value: Json) -> Json:
    if not isinstance(value, dict):
        raise _refuse("has no ranges of sizes")
    return {_expression(name): _clean(part, "") for name, part in value.items()}


def _metadata(value: Json) -> Json:
    """Only the stack of modules stays: it names layers in messages."""
    stack = value.get(_TITLES) if isinstance(value, dict) else None
    return {_TITLES: stack} if isinstance(stack, str) and len(stack) < 20_000 else {}


def _inputs(text: Json) -> Json:
    return json.dumps([1, _structure(_parsed(text), known_only=True)])


def _outputs(text: Json) -> Json:
    return json.dumps([1, _structure(_parsed(text), known_only=False)])


def _parsed(text: Json) -> Json:
    try:
        protocol, structure = json.loads(text)
    except (TypeError, ValueError):
        raise _refuse("has arguments of no readable structure") from None
    if protocol != 1:
        raise _refuse(f"has arguments of structure version {protocol!r}")
    return structure


def _structure(node: Json, *, known_only: bool) -> Json:
    """Tuples, lists and dictionaries; other classes of outputs become dictionaries or tuples."""
    if not isinstance(node, dict) or not isinstance(node.get("children_spec"), list):
        raise _refuse("has arguments of no readable structure")
    kind, parts = node.get("type"), node["children_spec"]
    if kind is None:
        return {"type": None, "context": None, "children_spec": []}
    if kind not in _CONTAINERS and known_only:
        raise _refuse(f"takes a {str(kind)[:80]}, not tensors in tuples, lists or dictionaries")
    children = [_structure(part, known_only=known_only) for part in parts]
    keys = _keys(node.get("context"), len(children))
    if keys is None or kind in {"builtins.tuple", "builtins.list"}:
        plain = kind if kind == "builtins.list" else "builtins.tuple"
        return {"type": plain, "context": "null", "children_spec": children}
    named = kind if kind in _CONTAINERS else "builtins.dict"
    return {"type": named, "context": json.dumps(keys), "children_spec": children}


def _keys(context: Json, count: int) -> list[str] | None:
    try:
        keys = json.loads(context)
    except (TypeError, ValueError):
        return None
    if not isinstance(keys, list) or len(keys) != count:
        return None
    if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys):
        raise _refuse("has arguments under keys that are no names")
    return keys


def _custom(_: Json) -> Json:
    raise _refuse("holds an object of a class of its own, which only a pickle can restore")


_SPECIAL: Final[Mapping[str, Callable[[Json], Json]]] = {
    "target": _operator,
    "as_operator": _operator,
    "expr_str": _expression,
    "range_constraints": _ranges,
    "in_spec": _inputs,
    "out_spec": _outputs,
    "metadata": _metadata,
    "as_custom_obj": _custom,
    "custom_obj": _custom,
    "device": lambda _: _CPU,
    "as_device": lambda _: _CPU,
    "guards_code": lambda _: [],
    "treespec_namedtuple_fields": lambda _: {},
}


def _refuse(what: str) -> InvalidError:
    return errors.invalid(
        Reason.UNSAFE_FORMAT,
        f"the program in the .pt2 {what}: loading it could run code that is not the model's",
        field="MODEL",
        hint="export it again with torch.export.export and torch.export.save, using PyTorch's own "
        "operators and plain tensors as inputs, or give an ONNX file",
    )
