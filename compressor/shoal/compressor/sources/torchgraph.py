"""From an exported torch program to one ONNX graph, and the answers that the graph must give."""

import contextlib
import dataclasses
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument
from torch.utils import _pytree as pytree

from shoal.compressor import errors
from shoal.compressor.sources import tidying, usercode
from shoal.compressor.sources.rows import Array
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

OPSET: Final = 18  # the exporter's own; any other is reached by a conversion after it
_PLAIN_HINT: Final = (
    "write the part it names with plain torch operators, or export the model to ONNX yourself and "
    "give that file"
)
_DATA_HINT: Final = (
    "a branch or a size depends on the values of a tensor: write it with torch.where or torch.cond"
)
_ODD: Final = re.compile(r"\W+")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TorchConverter:
    """A program and the module whose answers count: the origin's own, not the program's."""

    name: str
    program: ExportedProgram
    run: Callable[..., Any]
    outputs: tuple[str, ...]

    def convert(self) -> onnx.ModelProto:
        """The program as ONNX, with short plain names outside and no traces of its making.

        Raises:
            InvalidError: ConversionFailed, with the operator that has no ONNX form.
        """
        model = self._export().model_proto
        tidying.rename(model, [name for name, _ in self._inputs() if name], self.outputs)
        tidying.strip(model)
        return model

    def _export(self) -> torch.onnx.ONNXProgram:
        """The exporter's own result; operators it lacks are first taken apart, then tried again."""
        try:
            return _export(self.program)
        except Exception as error:  # noqa: BLE001 - the exporter's errors share no base
            first = error
        try:
            with quiet():
                lowered = self.program.run_decompositions()
            return _export(lowered)
        except Exception:  # noqa: BLE001 - the first attempt says best what is missing
            raise unconvertible(self.name, first) from first

    def answers(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """What the module answers, flattened under the graph's output names."""
        args, kwargs = self._call(feed)
        with torch.no_grad(), quiet():
            answer = self.run(*args, **kwargs)
        leaves = [leaf for leaf in pytree.tree_leaves(answer) if isinstance(leaf, torch.Tensor)]
        return {
            name: leaf.detach().cpu().numpy()
            for name, leaf in zip(self.outputs, leaves, strict=True)
        }

    def trace(self, feed: Mapping[str, Array]) -> Iterator[tuple[str, str, Array]]:
        """The value of every node of the program as it was lowered for ONNX."""
        lowered = self._export().exported_program
        if lowered is None:
            return
        last = dict(zip(lowered.graph_signature.user_outputs, self.outputs, strict=False))
        for title, name, value in _Watching(lowered).values(self._call(feed)):
            yield title, last.get(name, name), value

    def _inputs(self) -> list[tuple[str, Any]]:
        """What the program takes: a tensor's name, or "" and the constant in its place."""
        return [
            (spec.arg.name, None)
            if isinstance(spec.arg, TensorArgument)
            else ("", getattr(spec.arg, "value", None))
            for spec in self.program.graph_signature.input_specs
            if spec.kind is InputKind.USER_INPUT
        ]

    def _call(self, feed: Mapping[str, Array]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments in the structure in which the program was exported."""
        leaves = [
            torch.from_numpy(np.array(feed[name])) if name else constant
            for name, constant in self._inputs()
        ]
        args, kwargs = pytree.tree_unflatten(leaves, self.program.call_spec.in_spec)
        return tuple(args), dict(kwargs)


def load(path: Path, name: str) -> ExportedProgram:
    """The program in an archive that is known to hold no pickle; `name` is for errors.

    Raises:
        InvalidError: torch cannot read it.
    """
    try:
        with quiet():
            return torch.export.load(path)
    except Exception as error:  # noqa: BLE001 - foreign bytes make torch raise anything
        raise errors.invalid(
            Reason.LOAD_FAILED,
            f"torch {torch.__version__} cannot load {name}: {_first_line(error)}",
            field="MODEL",
            hint="load it with torch.export.load where it was saved, and save it again",
        ) from None


def of_program(program: ExportedProgram, name: str) -> TorchConverter:
    """A converter of a program whose only runtime is itself."""
    spec = program.call_spec.out_spec
    tensors = [
        torch.zeros(()) if isinstance(one.arg, TensorArgument) else None
        for one in program.graph_signature.output_specs
        if one.kind is OutputKind.USER_OUTPUT
    ]
    taken = {str(one) for one in program.graph_signature.user_inputs}
    return TorchConverter(
        name=name,
        program=program,
        run=program.module(),
        outputs=output_names(pytree.tree_unflatten(tensors, spec), taken),
    )


def _export(program: ExportedProgram) -> torch.onnx.ONNXProgram:
    with quiet():
        exported = torch.onnx.export(
            program,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            optimize=True,
            verbose=False,
        )
    if exported is None:
        raise RuntimeError("the exporter was asked for a program, not for a file")
    return exported


class _Watching(torch.fx.Interpreter):
    """Runs a program node by node and keeps every tensor."""

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__(program.module())
        self.seen: list[tuple[str, str, Array]] = []

    def run_node(self, n: torch.fx.Node) -> Any:
        """One node, as its superclass runs it."""
        value = super().run_node(n)
        if isinstance(value, torch.Tensor) and n.op == "call_function":
            self.seen.append((_title(n), n.name, value.detach().cpu().numpy()))
        return value

    def values(self, call: tuple[tuple[Any, ...], dict[str, Any]]) -> list[tuple[str, str, Array]]:
        """Layer title, node name and value, in the order of computing."""
        leaves = pytree.tree_leaves(call)
        with torch.no_grad():
            self.run(*leaves)
        return self.seen


def _title(node: torch.fx.Node) -> str:
    """`enc.linear1 (aten.linear.default)`: the module that asked for it, and the operator."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    place = str(stack[-1][0]) if stack else ""
    return f"{place} ({node.target})" if place else f"{node.target}"


def output_names(tree: Any, taken: set[str]) -> tuple[str, ...]:
    """Names of a model's outputs from the structure it returns.

    One tensor is `output`; a tuple gives `output_0`, `output_1`; a dictionary its keys. A name in
    `taken` gets an underscore.
    """
    paths, _ = pytree.tree_flatten_with_path(tree)
    names: list[str] = []
    for path, leaf in paths:
        if not isinstance(leaf, torch.Tensor):
            continue
        parts = [
            str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", "")))) for key in path
        ]
        name = _ODD.sub("_", "_".join(parts)).strip("_") or "output"
        if name[0].isdigit():
            name = f"output_{name}"
        while name in taken or name in names:
            name += "_"
        names.append(name)
    return tuple(names)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def unconvertible(name: str, error: Exception) -> InvalidError:
    """The exporter's errors wrap the one that says something."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    problem = errors.invalid(
        Reason.CONVERSION_FAILED,
        f"{name} cannot be turned into ONNX: {_first_line(cause)}",
        field="MODEL",
        hint=_DATA_HINT if "data-dependent" in str(cause) else _PLAIN_HINT,
    ).problem
    return InvalidError(dataclasses.replace(problem, location=usercode.place(error)))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps the exporter's notes, which are meant for its developers, from users."""
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
