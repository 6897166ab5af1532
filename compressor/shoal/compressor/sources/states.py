"""Which inputs of a recurrent model are states (`--state IN=OUT`), held against its signature."""

import difflib
from collections.abc import Sequence
from typing import Final

import numpy as np

from shoal.compressor import errors
from shoal.compressor.sources.rows import State
from shoal.compressor.sources.signature import Signature, Tensor
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

OPTION: Final = "--state"


def resolve(signature: Signature, asked: Sequence[tuple[str, str]]) -> tuple[State, ...]:
    """The states that `asked` names as (input, output).

    Raises:
        InvalidError: an unknown name, or an output that does not fit its input.
    """
    found: list[State] = []
    for into, out in asked:
        taken = _tensor(into, signature.inputs, "input")
        given = _tensor(out, signature.outputs, "output")
        if any(one.into == into for one in found):
            raise _wrong(f"the input {into!r} is named twice", "name each state once")
        if not _fits(taken, given):
            raise _wrong(
                f"the output {out!r} {_described(given)} does not fit the input {into!r} "
                f"{_described(taken)}",
                "a state is fed back as it is: shape and type must be the same",
            )
        zero = np.zeros([size or 1 for size in taken.shape], taken.dtype)
        found.append(State(into=into, out=out, zero=zero))
    if found and len(found) == len(signature.inputs):
        raise _wrong("every input is a state: there is none left for rows", "name states alone")
    return tuple(found)


def without(signature: Signature, states: Sequence[State]) -> Signature:
    """The signature that rows in a file are held against: without the states."""
    fed_back = {state.into for state in states}
    return Signature(
        inputs=tuple(one for one in signature.inputs if one.name not in fed_back),
        outputs=signature.outputs,
    )


def likely(signature: Signature, missing: str) -> str | None:
    """The option that would make a state of the input `missing`, where one output fits it."""
    taken = next(one for one in signature.inputs if one.name == missing)
    if not taken.shape or not taken.is_float:
        return None
    fitting = [one for one in signature.outputs if _fits(taken, one)]
    near = difflib.get_close_matches(missing, [one.name for one in fitting], n=1, cutoff=0)
    return f"{OPTION} {missing}={near[0]}" if near else None


def _fits(taken: Tensor, given: Tensor) -> bool:
    """Same type and rank, and no dimension that both fix differently."""
    return (
        taken.dtype == given.dtype
        and len(taken.shape) == len(given.shape)
        and all(None in {a, b} or a == b for a, b in zip(taken.shape, given.shape, strict=True))
    )


def _tensor(name: str, tensors: Sequence[Tensor], kind: str) -> Tensor:
    names = [one.name for one in tensors]
    if name in names:
        return tensors[names.index(name)]
    near = difflib.get_close_matches(name, names, n=1)
    raise _wrong(
        f"the model has no {kind} {name!r}",
        (f"did you mean {near[0]!r}? " if near else "")
        + f"its {kind}s are {', '.join(repr(one) for one in names)}",
    )


def _described(tensor: Tensor) -> str:
    dims = ", ".join("*" if size is None else str(size) for size in tensor.shape)
    return f"({tensor.dtype} [{dims}])"


def _wrong(message: str, hint: str) -> InvalidError:
    return errors.invalid(Reason.INVALID, message, field=OPTION, hint=hint)
