"""Reads one `.npz` of rows and holds it against the model's inputs."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from shoal.compressor.sources import members, states
from shoal.compressor.sources.rows import Array, Marks, Rows, State
from shoal.compressor.sources.signature import Signature, Tensor
from shoal.contract.problem import InvalidError

LABELS: Final = "y"
STREAM: Final = "stream"
ALIAS: Final = "x"  # what the input of a single-input model may be called
SIDES: Final = ("a.", "b.")  # what the inputs of the two rows of a pair begin with


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What is read, for whom: `inputs` are those of `signature` that are no states."""

    path: Path
    option: str
    signature: Signature
    inputs: tuple[Tensor, ...]
    states: Sequence[State]

    @property
    def names(self) -> list[str]:
        """The inputs that rows must have."""
        return [tensor.name for tensor in self.inputs]

    @property
    def extra(self) -> list[str]:
        """The arrays beside the inputs; a model's own input of such a name is an input."""
        known = [LABELS, STREAM] if self.states else [LABELS]
        return [name for name in known if name not in self.names]

    def bad(self, what: str, hint: str | None = None) -> InvalidError:
        """The error for data that do not fit."""
        return members.bad(self.path, self.option, what, hint)


def read(path: Path, signature: Signature, option: str, fed_back: Sequence[State] = ()) -> Rows:
    """The rows of `path`; `option` names the command-line option in errors.

    Raises:
        InvalidError: BadData, with the array and what was expected of it.
        NotFoundError: no such file.
    """
    file = _File(
        path=path,
        option=option,
        signature=signature,
        inputs=states.without(signature, fed_back).inputs,
        states=fed_back,
    )
    stored = members.names(path, option)
    pairs = _are_pairs(stored, file)
    sides = SIDES if pairs else ("",)
    places = _places(stored, file, sides)
    arrays = members.load(path, option, set(places.values()))
    halves = [
        _rows({t.name: arrays[places[side + t.name]] for t in file.inputs}, file) for side in sides
    ]
    rows = _interleaved(halves[0], halves[1], file) if pairs else halves[0]
    beside = {name: arrays[places[name]] for name in file.extra if name in places}
    labels = _labels(beside.get(LABELS), rows, file)
    if not fed_back:
        return replace(rows, labels=labels)
    starts = _starts(beside.get(STREAM), rows.count, file)
    return replace(rows, labels=labels, states=tuple(fed_back), starts=starts)


def _are_pairs(stored: Sequence[str], file: _File) -> bool:
    prefixed = any(name.startswith(SIDES) for name in stored if name not in file.names)
    if prefixed and file.states:
        raise file.bad("holds pairs (a.…, b.…), which a model with --state cannot be asked for")
    return prefixed


def _places(stored: Sequence[str], file: _File, sides: Sequence[str]) -> dict[str, str]:
    """Where each expected array is stored: under its own name, or the alias of an only input.

    Of pairs, an array without a side serves both.
    """
    places = {name: name for name in file.extra if name in stored}
    for side in sides:
        for name in file.names:
            is_sided = any(one + name in stored for one in sides)
            spellings = [side + name] if is_sided else [name]
            if len(file.names) == 1 and file.names[0] not in stored:
                spellings.append(side + ALIAS)
            found = next((one for one in spellings if one in stored), None)
            if found is not None:
                places[side + name] = found
    missing = [side + name for side in sides for name in file.names if side + name not in places]
    unknown = [name for name in stored if name not in places.values()]
    if missing or unknown:
        raise _misnamed(file, missing, unknown)
    return places


def _misnamed(file: _File, missing: Sequence[str], unknown: Sequence[str]) -> InvalidError:
    expected = ", ".join(repr(name) for name in file.names)
    listed = f"the model's inputs are {expected}; labels are called 'y'"
    unpaired = [name for name in missing if name.startswith(SIDES)]
    if unpaired and set(unknown) <= set(file.names):
        hint = "of pairs every input is given twice, as a.<input> and b.<input>; "
        return file.bad(f"has no array for the input {unpaired[0]!r}", hint + listed)
    if not unknown:
        option = states.likely(file.signature, missing[0])
        hint = f"a state of a recurrent model is named by {option}; " if option else ""
        return file.bad(f"has no array for the input {missing[0]!r}", hint + listed)
    name = unknown[0]
    if any(state.into == name for state in file.states):
        told = f"holds the state {name!r}, which is fed back from the model's own output"
        return file.bad(told, "leave it out, or leave out its --state")
    if name == STREAM:
        told = "says where streams change ('stream'), and the model has no state"
        return file.bad(told, "name its states with --state IN=OUT, or leave the array out")
    near = difflib.get_close_matches(name, [*file.names, *file.extra], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return file.bad(f"has an array {name!r} that is no input of the model", hint + listed)


def _rows(named: Mapping[str, Array], file: _File) -> Rows:
    inputs: dict[str, Array] = {}
    constants: dict[str, Array] = {}
    whole: set[str] = set()
    for tensor in file.inputs:
        array = named[tensor.name]
        _check_dtype(array, tensor, file)
        if array.ndim == 0:
            shape = [size or 1 for size in tensor.shape]
            constants[tensor.name] = np.array(np.broadcast_to(array, shape))
            continue
        _check_shape(array, tensor, file)
        inputs[tensor.name] = array
        if array.ndim == len(tensor.shape) + 1:
            whole.add(tensor.name)
    if not inputs:
        raise file.bad("has no rows: every array is a constant", "give one array with a row axis")
    counts = {name: len(array) for name, array in inputs.items()}
    _check_counts(counts, file)
    count = next(iter(counts.values()))
    if count == 0:
        raise file.bad("has no rows", "give at least one row; 20 and more are useful")
    return Rows(
        inputs=inputs, constants=constants, labels=None, count=count, whole=frozenset(whole)
    )


def _check_dtype(array: Array, tensor: Tensor, file: _File) -> None:
    if array.dtype.name != tensor.dtype:
        raise file.bad(
            f"has {tensor.name!r} as {array.dtype.name}; the model takes {tensor.dtype}",
            f"convert it: array.astype(numpy.{tensor.dtype})",
        )
    if tensor.is_float and not np.isfinite(array).all():
        places = np.argwhere(~np.isfinite(array))
        where = f", first in row {int(places[0][0])}" if array.ndim else ""
        raise file.bad(
            f"has values in {tensor.name!r} that are not finite numbers{where}",
            "drop such rows, or fill them as the model's training did",
        )


def _check_shape(array: Array, tensor: Tensor, file: _File) -> None:
    """Rows take the place of a first dimension of 1 or symbolic, or stand before the shape."""
    shape, rank = tensor.shape, len(tensor.shape)
    takes_place = array.ndim == rank > 0 and shape[0] in {1, None}
    stands_before = array.ndim == rank + 1
    if takes_place or stands_before:
        expected = shape[1:] if takes_place else shape
        if all(want in {None, have} for want, have in zip(expected, array.shape[1:], strict=True)):
            return
    hint = "put the row axis first, in the place of the model's first dimension"
    if array.ndim == rank and not takes_place:
        hint = (
            f"the model's first dimension is fixed at {shape[0]}, and a row is one whole feed: "
            f"put the row axis before it, {rank + 1} dimensions in all"
        )
    dims = ", ".join("*" if size is None else str(size) for size in shape)
    raise file.bad(
        f"has {tensor.name!r} with shape {list(array.shape)}; the model takes [{dims}] a row", hint
    )


def _interleaved(a: Rows, b: Rows, file: _File) -> Rows:
    """Both rows of every pair, one after the other."""
    _check_counts({"a": a.count, "b": b.count}, file)
    for name, array in a.inputs.items():
        if array.shape != b.inputs[name].shape:
            raise file.bad(
                f"has 'a.{name}' with shape {list(array.shape)} and 'b.{name}' with shape "
                f"{list(b.inputs[name].shape)}",
                "pad both sides of all pairs to one length",
            )
    inputs = {
        name: np.stack([array, b.inputs[name]], axis=1).reshape(-1, *array.shape[1:])
        for name, array in a.inputs.items()
    }
    return replace(a, inputs=inputs, count=2 * a.count, pairs=True)


def _labels(labels: Array | None, rows: Rows, file: _File) -> Array | None:
    if labels is None:
        return None
    if labels.ndim == 0:
        raise file.bad("has labels 'y' that are one number, not one a row", "give an array")
    count = rows.count // 2 if rows.pairs else rows.count
    _check_counts({**dict.fromkeys(rows.inputs, count), LABELS: len(labels)}, file)
    return labels


def _check_counts(counts: Mapping[str, int], file: _File) -> None:
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise file.bad(
            f"has arrays of different numbers of rows: {text}", "give every row every array"
        )


def _starts(stream: Array | None, count: int, file: _File) -> Marks:
    """Which rows begin a stream: the first, and each whose number differs from the one before."""
    starts = np.zeros(count, np.bool_)
    starts[0] = True
    if stream is None:
        return starts
    if stream.dtype.kind not in "iu" or stream.shape != (count,):
        raise file.bad(
            f"has 'stream' as {stream.dtype.name} {list(stream.shape)}; "
            f"expected one integer for each of {count} rows",
            "number the streams: all steps of the first 0, of the second 1, …",
        )
    starts[1:] = stream[1:] != stream[:-1]
    return starts
