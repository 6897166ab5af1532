"""What a converted graph and its origin are both asked: rows, batches, padded and cut rows."""

import enum
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from shoal.compressor.sources.rows import Array
from shoal.compressor.sources.signature import ELEMENTS, Tensor
from shoal.contract import limits

ALIAS: Final = "x"  # what the input of a single-input model may be called
ROWS: Final = 16
BATCH: Final = 8
_MADE_UP_ROWS: Final = 4


class NoRowsError(Exception):
    """The rows do not suit the graph; the text says why."""


class Kind(enum.Enum):
    """How a probe was made."""

    ROW = enum.auto()
    BATCH = enum.auto()
    PADDED = enum.auto()
    CUT = enum.auto()
    INVENTED = enum.auto()

    @property
    def made_up(self) -> bool:
        """Whether nobody said that the origin can do this, so that it may refuse."""
        return self is not Kind.ROW


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """One question to both: `title` names it inside a sentence."""

    kind: Kind
    title: str
    rows: int
    feed: Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Rows by input name with the row axis first; `whole` are fed without a batch axis."""

    inputs: Mapping[str, Array]
    constants: Mapping[str, Array]
    whole: frozenset[str]
    count: int
    open_batch: bool

    def feed(self, start: int, end: int) -> dict[str, Array]:
        rows = {
            name: array[start] if name in self.whole else array[start:end]
            for name, array in self.inputs.items()
        }
        return {name: np.asarray(array) for name, array in (rows | dict(self.constants)).items()}


def plan(session: Any, rows: Path | None) -> list[Probe]:
    """The probes for a graph opened as `session`, made from the rows at `rows`.

    Raises:
        NoRowsError: there are none that suit.
    """
    return _probes(_tensors(session), load(rows))


def invent(session: Any) -> list[Probe]:
    """Probes of random numbers, for where no rows suit; integers are 0 and 1, valid anywhere."""
    random = np.random.default_rng(0)
    tensors = _tensors(session)
    arrays: dict[str, Array] = {}
    for tensor in tensors:
        rest = tensor.shape[1:] if tensor.shape[:1] in {(1,), (None,)} else tensor.shape
        shape = [ROWS, *(size or 1 for size in rest)]
        numbers = random.normal(size=shape) if tensor.is_float else random.integers(0, 2, shape)
        arrays[tensor.name] = numbers.astype(tensor.dtype)
    return [replace(probe, kind=Kind.INVENTED) for probe in _probes(tensors, arrays)]


def _tensors(session: Any) -> list[Tensor]:
    return [
        Tensor(
            name=value.name,
            dtype=ELEMENTS.get(value.type, ""),
            shape=tuple(d if isinstance(d, int) else None for d in value.shape or ()),
        )
        for value in session.get_inputs()
    ]


def _probes(tensors: list[Tensor], arrays: dict[str, Array]) -> list[Probe]:
    table = _table(tensors, arrays)
    probes = [
        Probe(kind=Kind.ROW, title=f"row {row}", rows=1, feed=table.feed(row, row + 1))
        for row in range(min(ROWS, table.count))
    ]
    if table.open_batch and table.count > 1:
        count = min(BATCH, table.count)
        probes.append(
            Probe(
                kind=Kind.BATCH,
                title=f"a batch of {count} rows",
                rows=count,
                feed=table.feed(0, count),
            )
        )
    return probes + _masked(tensors, table)


def load(rows: Path | None) -> dict[str, Array]:
    """Every array of the rows.

    Raises:
        NoRowsError: there are none to read.
    """
    if rows is None:
        raise NoRowsError("no rows were given")
    try:
        with zipfile.ZipFile(rows) as archive:
            size_bytes = sum(entry.file_size for entry in archive.infolist())
        if size_bytes > limits.DATA_BYTES:
            raise NoRowsError("the rows unpack to more than the limit")
        with np.load(rows, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except NoRowsError:
        raise
    except Exception as error:  # noqa: BLE001 - the full reading of the rows says what is wrong
        raise NoRowsError(f"the rows cannot be read: {type(error).__name__}") from None


def _table(tensors: list[Tensor], arrays: dict[str, Array]) -> _Table:
    inputs: dict[str, Array] = {}
    constants: dict[str, Array] = {}
    whole: set[str] = set()
    open_batch = True
    for tensor in tensors:
        array = _of(tensor, tensors, arrays)
        if array is None or array.ndim == 0:  # a recurrent state starts at zero
            filled = np.zeros((), tensor.dtype or None) if array is None else array
            shape = [d or 1 for d in tensor.shape]
            constants[tensor.name] = np.array(np.broadcast_to(filled, shape))
            open_batch = False
            continue
        if array.dtype.name != tensor.dtype:
            raise NoRowsError(f"{tensor.name!r} is {array.dtype.name}, not {tensor.dtype}")
        if array.ndim == len(tensor.shape) and tensor.shape[0] in {1, None}:
            open_batch = open_batch and tensor.shape[0] is None
        elif array.ndim == len(tensor.shape) + 1:
            whole.add(tensor.name)
            open_batch = False
        else:
            raise NoRowsError(f"{tensor.name!r} has shape {list(array.shape)}")
        inputs[tensor.name] = array
    if not inputs:
        raise NoRowsError("no array is named like an input of the graph")
    count = min(len(array) for array in inputs.values())
    if count == 0:
        raise NoRowsError("there are no rows")
    return _Table(
        inputs=inputs,
        constants=constants,
        whole=frozenset(whole),
        count=count,
        open_batch=open_batch,
    )


def _of(tensor: Tensor, tensors: list[Tensor], arrays: dict[str, Array]) -> Array | None:
    """The input's rows: under its name, as the left half of pairs, or under the alias."""
    for name in (tensor.name, f"a.{tensor.name}"):
        if name in arrays:
            return arrays[name]
    return arrays.get(ALIAS) if len(tensors) == 1 else None


def _masked(tensors: list[Tensor], table: _Table) -> list[Probe]:
    """Padded rows, and rows cut to their own length, where an input is an attention mask."""
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    masks = [name for name, array in table.inputs.items() if _is_mask(array, name, table)]
    if not masks:
        return []
    length = table.inputs[masks[0]].shape[1]
    along = [n for n, a in table.inputs.items() if a.ndim > 1 and a.shape[1] == length]
    open_length = all(shapes[name][1] is None for name in along)
    probes = []
    for row in range(min(_MADE_UP_ROWS, table.count)):
        feed = table.feed(row, row + 1)
        own = int(feed[masks[0]].sum())
        kept = own if own < length else max(1, (2 * length) // 3)
        padded = {
            name: np.where(np.arange(length) < kept, array, 0).astype(array.dtype)
            if name in masks
            else array
            for name, array in feed.items()
        }
        title = f"row {row} padded after {kept} of {length} positions"
        probes.append(Probe(kind=Kind.PADDED, title=title, rows=1, feed=padded))
        if open_length and kept > 1:
            cut = {
                name: np.ascontiguousarray(array[:, :kept]) if name in along else array
                for name, array in feed.items()
            }
            title = f"row {row} cut to {kept} of {length} positions"
            probes.append(Probe(kind=Kind.CUT, title=title, rows=1, feed=cut))
    return probes


def _is_mask(array: Array, name: str, table: _Table) -> bool:
    """Ones, then zeros, in every row: what says which positions count."""
    if array.ndim != 2 or array.dtype.kind not in "iub" or name in table.whole:
        return False
    if array.shape[1] < 2 or not np.isin(array, (0, 1)).all():
        return False
    numbers = array.astype(np.int8)
    return bool((numbers[:, 0] == 1).all() and (np.diff(numbers, axis=1) <= 0).all())
