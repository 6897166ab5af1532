"""Loaders as a source: `package.module:function`, a function of the user's that gives a model.

It returns an `nn.Module` and example inputs: a tensor, a tuple of tensors, or a dictionary by the
names of `forward`. Imported in the sandboxed child alone.
"""

import dataclasses
import importlib
import os
import sys
from typing import Any, Final

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.utils import _pytree as pytree

from shoal.compressor import errors
from shoal.compressor.sources import torchgraph, usercode
from shoal.compressor.sources.origin import Origin
from shoal.compressor.sources.torchgraph import TorchConverter
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

_SHAPE_HINT: Final = (
    "return (model, example): example is a tensor, a tuple of tensors, or a dictionary by the "
    "names of forward's parameters"
)

Call = tuple[tuple[Any, ...], dict[str, Any]]


def open_origin(origin: Origin) -> TorchConverter:
    """The model that the named function returns, exported with an open batch where it can be.

    Raises:
        InvalidError: no such function, or what went wrong in it and on which line.
    """
    torch.set_num_threads(1)
    model, example = _load(origin.location)
    return of_module(model, _call(example), origin.location)


def of_module(model: nn.Module, call: Call, name: str) -> TorchConverter:
    """A converter of a live module, whose own answers the graph is held against.

    Raises:
        InvalidError: it does not run on its example inputs, or cannot be exported.
    """
    model.eval()
    answer = _answer(model, call, name)
    program = _exported(model, call, name)
    taken = set(program.graph_signature.user_inputs)
    return TorchConverter(
        name=name,
        program=program,
        run=model,
        outputs=torchgraph.output_names(answer, {str(one) for one in taken}),
    )


def _load(location: str) -> tuple[nn.Module, Any]:
    module_name, _, function_name = location.partition(":")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as the interpreter itself would
    try:
        function = getattr(importlib.import_module(module_name), function_name, None)
        if callable(function):
            returned = function()
    except ModuleNotFoundError as error:
        if error.name is not None and module_name.startswith(error.name):
            raise _refuse(
                f"there is no module {error.name!r} here",
                "run from the folder that holds it, or install it where shoal-compress runs",
            ) from None
        raise _raised(location, error) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's own code raises what it likes
        raise _raised(location, error) from None
    if not callable(function):
        raise _refuse(f"{module_name} has no function {function_name!r}", "check its spelling")
    if (
        not isinstance(returned, tuple)
        or len(returned) != 2
        or not isinstance(returned[0], nn.Module)
    ):
        raise _refuse(f"{location} returns {type(returned).__name__}, not a pair", _SHAPE_HINT)
    return returned


def _call(example: Any) -> Call:
    if isinstance(example, torch.Tensor):
        return (example,), {}
    if isinstance(example, dict):
        return (), example
    if isinstance(example, list | tuple):
        return tuple(example), {}
    raise _refuse(f"the example inputs are a {type(example).__name__}", _SHAPE_HINT)


def _answer(model: nn.Module, call: Call, name: str) -> Any:
    try:
        with torch.no_grad():
            answer = model(*call[0], **call[1])
    except Exception as error:  # noqa: BLE001 - the user's own code raises what it likes
        raise _raised(name, error) from None
    if not any(isinstance(leaf, torch.Tensor) for leaf in pytree.tree_leaves(answer)):
        raise _refuse(f"{name} answers no tensor on its example inputs", _SHAPE_HINT)
    return answer


def _exported(model: nn.Module, call: Call, name: str) -> ExportedProgram:
    """Open along the batch, else with the batch of one row that every model can do."""
    opened = _repeated(call)
    if opened is not None:
        shapes = pytree.tree_map(
            lambda leaf: {0: Dim("batch")} if isinstance(leaf, torch.Tensor) else None, opened
        )
        shapes = (*shapes[0],) if not opened[1] else shapes[1]
        try:
            with torchgraph.quiet():
                return torch.export.export(
                    model, opened[0], opened[1], dynamic_shapes=shapes, strict=False
                )
        except Exception:  # noqa: BLE001, S110 - torch says in many ways that a batch is fixed
            pass
    args, kwargs = _first_row(model, call)
    try:
        with torchgraph.quiet():
            return torch.export.export(model, args, kwargs, strict=False)
    except Exception as error:
        raise torchgraph.unconvertible(name, error) from error


def _first_row(model: nn.Module, call: Call) -> Call:
    """The example's first row alone, where the model can do it: what one inference is."""
    row: Call = pytree.tree_map(
        lambda leaf: leaf[:1] if isinstance(leaf, torch.Tensor) and leaf.ndim else leaf, call
    )
    try:
        with torch.no_grad():
            model(*row[0], **row[1])
    except Exception:  # noqa: BLE001 - a model of a fixed batch says so in its own way
        return call
    return row


def _repeated(call: Call) -> Call | None:
    """The example with two rows at least, since torch takes an axis of one for a constant.

    None where the tensors do not share a first axis.
    """
    tensors = [leaf for leaf in pytree.tree_leaves(call) if isinstance(leaf, torch.Tensor)]
    sizes = {tensor.shape[0] if tensor.ndim else None for tensor in tensors}
    if len(sizes) != 1 or None in sizes:
        return None
    if sizes != {1}:
        return call
    doubled: Call = pytree.tree_map(
        lambda leaf: torch.cat([leaf, leaf]) if isinstance(leaf, torch.Tensor) else leaf, call
    )
    return doubled


def _raised(location: str, error: BaseException) -> InvalidError:
    """What the user's own code raised, at their own file and line."""
    first = str(error).strip().splitlines()[:1] or ["no message"]
    problem = errors.invalid(
        Reason.LOAD_FAILED,
        f"{location} raised {type(error).__name__}: {first[0][:300]}",
        field="MODEL",
        hint="run the function by itself to see it in full",
    ).problem
    return InvalidError(dataclasses.replace(problem, location=usercode.place(error)))


def _refuse(message: str, hint: str) -> InvalidError:
    return errors.invalid(Reason.LOAD_FAILED, message, field="MODEL", hint=hint)
