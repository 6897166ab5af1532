"""The JSON form of contract values: one generic pair for every frozen dataclass.

A dataclass is an object, a tuple an array, an enum its value, a path its text, None null. Reading
is strict about types and names the place of what is wrong; keys it does not know are left alone, so
that an older program reads what a newer one has written, and absent keys take the field's default.

Every type gets its reader and its writer once, as a function that was put together from the type's
hints: controllers read and write records of many devices in every pass.
"""

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, TypeVar, Union

T = TypeVar("T")

JSON = Any  # str, int, float, bool, None, and lists and string-keyed dicts of them
_Reader = Callable[[JSON], Any]
_Writer = Callable[[Any], JSON]


class _MisfitError(Exception):
    """Data that does not fit a type; the place is put together on the way out."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str] = []

    @property
    def place(self) -> str:
        """Where it is, for example `deployments[0].phase`."""
        return "".join(reversed(self.steps)).removeprefix(".")

    def within(self, step: str) -> "_MisfitError":
        """The same, one step further out."""
        self.steps.append(step)
        return self


def to_json(value: object) -> JSON:
    """The JSON form of `value`.

    Raises:
        TypeError: `value` holds something that has no JSON form here.
    """
    kind: Any = type(value)
    return _writer(kind)(value)


def from_json(cls: type[T], data: JSON) -> T:
    """The value of type `cls` whose JSON form is `data`.

    Raises:
        ValueError: something has the wrong type, or a field without a default is absent; the
            message starts with the place, for example `deployments[0].phase`.
    """
    kind: Any = cls
    try:
        result: T = _reader(kind)(data)
    except _MisfitError as misfit:
        raise ValueError(f"{misfit.place or 'the value'}: {misfit.problem}") from None
    return result


# writing


@functools.cache
def _writer(kind: Any) -> _Writer:
    """What writes values of exactly this type."""
    if issubclass(kind, enum.Enum):
        return lambda value: value.value
    if kind is type(None) or issubclass(kind, str | int | float):
        return lambda value: value
    if dataclasses.is_dataclass(kind):
        return _fields_writer(kind)
    if issubclass(kind, PurePath):
        return str
    if issubclass(kind, tuple | list):
        return _items_writer
    if issubclass(kind, Mapping):
        return lambda value: {str(to_json(key)): to_json(one) for key, one in value.items()}
    raise TypeError(f"{kind.__name__} has no JSON form")


def _items_writer(value: Any) -> JSON:
    # Answers on a golden set are hundreds of numbers: they need no look at each.
    if _PLAIN.issuperset(map(type, value)):
        return list(value)
    return [to_json(one) for one in value]


def _fields_writer(kind: Any) -> _Writer:
    names = tuple(field.name for field in dataclasses.fields(kind))

    def write(value: Any) -> JSON:
        document = {}
        for name in names:
            one = getattr(value, name)
            document[name] = one if type(one) in _PLAIN else to_json(one)
        return document

    return write


_PLAIN = frozenset({str, int, float, bool, type(None)})


# reading


@functools.cache
def _reader(kind: Any) -> _Reader:
    """What reads values of this type, which may be a generic alias."""
    while isinstance(kind, typing.NewType):
        kind = kind.__supertype__
    if kind is Any:
        return lambda data: data
    origin = typing.get_origin(kind)
    if origin in {Union, types.UnionType}:
        return _optional_reader(kind)
    if origin is tuple:
        return _tuple_reader(typing.get_args(kind))
    if origin in {dict, Mapping}:
        return _mapping_reader(typing.get_args(kind))
    if dataclasses.is_dataclass(kind):
        return _fields_reader(kind)
    return _scalar_reader(kind)


def _scalar_reader(kind: Any) -> _Reader:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enum_reader(kind)
    if kind is Path:
        return lambda data: Path(_of_type(str, data))
    if kind is float:
        return _read_float
    if kind not in {str, int, bool}:
        raise TypeError(f"{kind} has no JSON form")

    def read(data: JSON) -> Any:
        return data if type(data) is kind else _of_type(kind, data)

    return read


def _of_type(kind: type, data: JSON) -> Any:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise _wrong(kind.__name__, data)
    return data


def _read_float(data: JSON) -> float:
    if type(data) is float:
        return data
    if isinstance(data, int | float) and not isinstance(data, bool):
        return float(data)
    raise _wrong("float", data)


def _enum_reader(kind: type[enum.Enum]) -> _Reader:
    members = {one.value: one for one in kind}

    def read(data: JSON) -> Any:
        try:
            return members[data]
        except (KeyError, TypeError):
            known = ", ".join(str(one.value) for one in kind)
            raise _wrong(f"one of {known}", data) from None

    return read


def _optional_reader(kind: Any) -> _Reader:
    arms = [arm for arm in typing.get_args(kind) if arm is not type(None)]
    if len(arms) != 1:
        raise TypeError(f"{kind} has no JSON form")
    reader = _reader(arms[0])
    return lambda data: None if data is None else reader(data)


def _tuple_reader(arms: tuple[Any, ...]) -> _Reader:
    if len(arms) == 2 and arms[1] is Ellipsis:  # tuple[X, ...]
        return _many_reader(arms[0])
    readers = tuple(_reader(arm) for arm in arms)

    def read(data: JSON) -> tuple[Any, ...]:
        if not isinstance(data, list) or len(data) != len(readers):
            raise _wrong(f"a list of {len(readers)}", data)
        return tuple(
            _step(reader, one, f"[{i}]")
            for i, (reader, one) in enumerate(zip(readers, data, strict=True))
        )

    return read


def _many_reader(kind: Any) -> _Reader:
    reader, plain = _reader(kind), {kind} & _PLAIN

    def read(data: JSON) -> tuple[Any, ...]:
        if not isinstance(data, list):
            raise _wrong("a list", data)
        if plain and plain.issuperset(map(type, data)):
            return tuple(data)
        try:
            return tuple([reader(one) for one in data])
        except _MisfitError:
            # Which one it was is only asked for when there is one.
            return tuple(_step(reader, one, f"[{i}]") for i, one in enumerate(data))

    return read


def _mapping_reader(arms: tuple[Any, ...]) -> _Reader:
    key_reader, reader = _reader(arms[0]), _reader(arms[1])

    def read(data: JSON) -> dict[Any, Any]:
        if not isinstance(data, dict):
            raise _wrong("an object", data)
        return {
            _step(key_reader, key, f".{key}"): _step(reader, one, f".{key}")
            for key, one in data.items()
        }

    return read


def _fields_reader(cls: Any) -> _Reader:
    hints = typing.get_type_hints(cls)
    fields = tuple(
        (one.name, _named(hints, one.name), _required(one)) for one in dataclasses.fields(cls)
    )

    def read(data: JSON) -> Any:
        if not isinstance(data, dict):
            raise _wrong("an object", data)
        arguments = {}
        for name, reader, required in fields:
            if name in data:
                try:
                    arguments[name] = reader(data[name])
                except _MisfitError as misfit:
                    raise misfit.within(f".{name}") from None
            elif required:
                raise _MisfitError("required, but absent").within(f".{name}")
        return cls(**arguments)

    return read


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


def _named(hints: Mapping[str, Any], name: str) -> _Reader:
    try:
        return _reader(hints[name])
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


def _step(reader: _Reader, data: JSON, step: str) -> Any:
    try:
        return reader(data)
    except _MisfitError as misfit:
        raise misfit.within(step) from None


def _wrong(wanted: str, data: JSON) -> _MisfitError:
    shown = repr(data)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    return _MisfitError(f"must be {wanted}, not {shown}")
