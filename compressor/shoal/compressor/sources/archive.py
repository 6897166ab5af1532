"""Reads one `.npz` of rows and holds it against the model's inputs."""

import difflib
import zipfile
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from shoal.compressor import errors
from shoal.compressor.sources.rows import Array, Rows
from shoal.compressor.sources.signature import Signature, Tensor
from shoal.contract import limits
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

LABELS: Final = "y"
ALIAS: Final = "x"  # what the input of a single-input model may be called
_UNREADABLE: Final = (  # what zipfile and numpy raise over a damaged, encrypted or hostile archive
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError),
    *(RuntimeError, MemoryError),
)


def read(path: Path, signature: Signature, option: str) -> Rows:
    """The rows of `path`; `option` names the command-line option in errors.

    Raises:
        InvalidError: BadData, with the array and what was expected of it.
        NotFoundError: no such file.
    """
    arrays = _load(path, option)
    labels = arrays.pop(LABELS, None)
    named = _named(arrays, signature, path, option)
    inputs: dict[str, Array] = {}
    constants: dict[str, Array] = {}
    whole: set[str] = set()
    for tensor in signature.inputs:
        array = named[tensor.name]
        _check_dtype(array, tensor, path, option)
        if array.ndim == 0:
            constants[tensor.name] = _constant(array, tensor)
            continue
        _check_shape(array, tensor, path, option)
        inputs[tensor.name] = array
        if array.ndim == len(tensor.shape) + 1:
            whole.add(tensor.name)
    count = _count(inputs, labels, path, option)
    return Rows(
        inputs=inputs, constants=constants, labels=labels, count=count, whole=frozenset(whole)
    )


def _load(path: Path, option: str) -> dict[str, Array]:
    if not path.is_file():
        raise errors.missing_file(str(path), option)
    try:
        with zipfile.ZipFile(path) as archive:
            size_bytes = sum(entry.file_size for entry in archive.infolist())
        if size_bytes > limits.DATA_BYTES:
            raise _bad(path, option, f"unpacks to {size_bytes} bytes, above the limit of 4 GiB")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _UNREADABLE:
        raise _bad(
            path, option, "is not a readable .npz archive (numpy.savez writes one)"
        ) from None
    except ValueError as error:
        if "pickle" in str(error):
            raise _bad(
                path,
                option,
                "holds an array of Python objects, which cannot be read without running a pickle",
                "store numbers: array.astype(numpy.float32), or pad ragged rows to one length",
            ) from None
        raise _bad(path, option, f"cannot be read: {error}") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # numpy hands other members over as bytes
            raise _bad(path, option, f"has a member {name!r} that is no numpy array")
    return arrays


def _named(
    arrays: dict[str, Array], signature: Signature, path: Path, option: str
) -> dict[str, Array]:
    names = [tensor.name for tensor in signature.inputs]
    if len(names) == 1 and ALIAS in arrays and names[0] not in arrays:
        arrays[names[0]] = arrays.pop(ALIAS)
    missing = [name for name in names if name not in arrays]
    unknown = [name for name in arrays if name not in names]
    if not missing and not unknown:
        return arrays
    expected = ", ".join(repr(name) for name in names)
    if unknown:
        near = difflib.get_close_matches(unknown[0], [*names, LABELS], n=1)
        found = f"has an array {unknown[0]!r} that is no input of the model"
        hint = f"did you mean {near[0]!r}? " if near else ""
    else:
        found, hint = f"has no array for the input {missing[0]!r}", ""
    raise _bad(
        path, option, found, f"{hint}the model's inputs are {expected}; labels are called 'y'"
    )


def _check_dtype(array: Array, tensor: Tensor, path: Path, option: str) -> None:
    if array.dtype.name != tensor.dtype:
        raise _bad(
            path,
            option,
            f"has {tensor.name!r} as {array.dtype.name}; the model takes {tensor.dtype}",
            f"convert it: array.astype(numpy.{tensor.dtype})",
        )
    if tensor.is_float and not np.isfinite(array).all():
        raise _bad(path, option, f"has values in {tensor.name!r} that are not finite numbers")


def _check_shape(array: Array, tensor: Tensor, path: Path, option: str) -> None:
    """Rows take the place of a first dimension of 1 or symbolic, or stand before the shape."""
    shape, rank = tensor.shape, len(tensor.shape)
    if array.ndim == rank and shape[0] in {1, None}:
        expected, found = shape[1:], array.shape[1:]
    elif array.ndim == rank + 1:
        expected, found = shape, array.shape[1:]
    else:
        expected, found = shape, array.shape
    if len(expected) != len(found) or any(
        want not in {None, have} for want, have in zip(expected, found, strict=True)
    ):
        dims = ", ".join("*" if d is None else str(d) for d in shape)
        raise _bad(
            path,
            option,
            f"has {tensor.name!r} with shape {list(array.shape)}; the model takes [{dims}] a row",
            "put the row axis first, in the place of the model's first dimension",
        )


def _constant(array: Array, tensor: Tensor) -> Array:
    return np.ascontiguousarray(np.broadcast_to(array, [d or 1 for d in tensor.shape]))


def _count(inputs: dict[str, Array], labels: Array | None, path: Path, option: str) -> int:
    if not inputs:
        raise _bad(path, option, "has no rows: every array is a constant")
    counts = {name: len(array) for name, array in inputs.items()}
    if labels is not None:
        if labels.ndim == 0:
            raise _bad(path, option, "has labels 'y' that are one number, not one a row")
        counts[LABELS] = len(labels)
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise _bad(path, option, f"has arrays of different numbers of rows: {text}")
    count = next(iter(counts.values()))
    if count == 0:
        raise _bad(path, option, "has no rows")
    return count


def _bad(path: Path, option: str, what: str, hint: str | None = None) -> InvalidError:
    return errors.invalid(Reason.BAD_DATA, f"{path.name} {what}", field=option, hint=hint)
