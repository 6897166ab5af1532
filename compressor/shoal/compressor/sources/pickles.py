"""Pickles that the user vouched for, read in the sandboxed child alone."""

import inspect
from pathlib import Path
from typing import Any, Final

from shoal.compressor import errors
from shoal.compressor.sources import estimators, probes, zips
from shoal.compressor.sources.converting import Converter
from shoal.compressor.sources.origin import Origin
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

_TORCH_SUFFIXES: Final = {".pt", ".pth", ".bin", ".ckpt"}
_LOADER_HINT: Final = (
    "write a function that returns (model, example inputs) and give it as package.module:function"
)


def open_origin(origin: Origin, rows: Path | None) -> Converter:
    """The converter of a pickled network or estimator; a network's example inputs are its rows.

    Raises:
        InvalidError: it was not trusted, cannot be read, or holds no model.
    """
    path = Path(origin.location)
    if not origin.trust_pickle:
        raise _refuse(Reason.UNSAFE_FORMAT, f"{path.name} is a pickle that was not trusted")
    if path.suffix.lower() not in _TORCH_SUFFIXES and "data.pkl" not in {
        name.rpartition("/")[2] for name in zips.names(path)
    }:
        return estimators.open_origin(origin)
    return _network(path, rows)


def _network(path: Path, rows: Path | None) -> Converter:
    import torch  # noqa: PLC0415 - not for estimators

    from shoal.compressor.sources import loader  # noqa: PLC0415 - imports torch

    torch.set_num_threads(1)
    try:
        model = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # noqa: BLE001 - a pickle raises what it likes
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise _refuse(Reason.LOAD_FAILED, f"{path.name} cannot be read: {lines[0][:300]}") from None
    if not isinstance(model, torch.nn.Module) or isinstance(model, torch.jit.ScriptModule):
        what = "weights without a model" if isinstance(model, dict) else type(model).__name__
        raise _refuse(Reason.LOAD_FAILED, f"{path.name} holds {what}, not an nn.Module")
    examples = {
        name: torch.from_numpy(array[:2].copy()) for name, array in _examples(model, rows).items()
    }
    return loader.of_module(model, ((), examples), path.name)


def _examples(model: Any, rows: Path | None) -> dict[str, Any]:
    """Rows by the names of `forward`'s parameters."""
    names = list(inspect.signature(model.forward).parameters)
    try:
        arrays = probes.load(rows)
    except probes.NoRowsError as error:
        raise _refuse(Reason.BAD_DATA, f"a pickled network needs rows to run on: {error}") from None
    if len(names) == 1 and probes.ALIAS in arrays:
        return {names[0]: arrays[probes.ALIAS]}
    found = {name: arrays[name] for name in names if name in arrays and arrays[name].ndim}
    if not found:
        raise _refuse(
            Reason.BAD_DATA,
            f"no array of the calibration rows is named like a parameter of forward: {names}",
        )
    return found


def _refuse(reason: str, message: str) -> InvalidError:
    return errors.invalid(reason, message, field="MODEL", hint=_LOADER_HINT)
