"""The JSON form of contract values: one generic pair for every frozen dataclass.

A dataclass is an object, a tuple an array, an enum its value, a path its text, None null. Reading
is strict about types and names the place of what is wrong; keys it does not know are left alone, so
that an older program reads what a newer one has written, and absent keys take the field's default.
"""

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, TypeVar, Union

T = TypeVar("T")

JSON = Any  # str, int, float, bool, None, and lists and string-keyed dicts of them


def to_json(value: object) -> JSON:
    """The JSON form of `value`.

    Raises:
        TypeError: `value` holds something that has no JSON form here.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, (str, int, float)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [to_json(one) for one in value]
    if isinstance(value, Mapping):
        return {str(to_json(key)): to_json(one) for key, one in value.items()}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def from_json(cls: type[T], data: JSON) -> T:
    """The value of type `cls` whose JSON form is `data`.

    Raises:
        ValueError: something has the wrong type, or a field without a default is absent; the
            message starts with the place, for example `deployments[0].phase`.
    """
    result: T = _read(cls, data, "")
    return result


def _read(kind: Any, data: JSON, place: str) -> Any:
    while isinstance(kind, typing.NewType):
        kind = kind.__supertype__
    if kind is Any:
        return data
    origin = typing.get_origin(kind)
    if origin in {Union, types.UnionType}:
        return _read_optional(kind, data, place)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), data, place)
    if origin in {dict, Mapping}:
        return _read_mapping(typing.get_args(kind), data, place)
    if dataclasses.is_dataclass(kind):
        return _read_fields(kind, data, place)
    return _read_scalar(kind, data, place)


def _read_scalar(kind: Any, data: JSON, place: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        try:
            return kind(data)
        except ValueError:
            raise _wrong(place, f"one of {', '.join(str(m.value) for m in kind)}", data) from None
    if kind is Path:
        return Path(_read_scalar(str, data, place))
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if kind not in {str, int, float, bool}:
        raise TypeError(f"{place or 'the value'}: {kind} has no JSON form")
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise _wrong(place, kind.__name__, data)
    return data


def _read_optional(kind: Any, data: JSON, place: str) -> Any:
    arms = [arm for arm in typing.get_args(kind) if arm is not type(None)]
    if len(arms) != 1:
        raise TypeError(f"{place or 'the value'}: {kind} has no JSON form")
    return None if data is None else _read(arms[0], data, place)


def _read_tuple(arms: tuple[Any, ...], data: JSON, place: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise _wrong(place, "a list", data)
    if len(arms) == 2 and arms[1] is Ellipsis:  # tuple[X, ...]
        arms = (arms[0],) * len(data)
    if len(arms) != len(data):
        raise _wrong(place, f"a list of {len(arms)}", data)
    return tuple(
        _read(arm, one, f"{place}[{i}]")
        for i, (arm, one) in enumerate(zip(arms, data, strict=True))
    )


def _read_mapping(arms: tuple[Any, ...], data: JSON, place: str) -> dict[Any, Any]:
    if not isinstance(data, dict):
        raise _wrong(place, "an object", data)
    key_kind, kind = arms
    return {
        _read(key_kind, key, f"{place}.{key}"): _read(kind, one, f"{place}.{key}")
        for key, one in data.items()
    }


def _read_fields(cls: Any, data: JSON, place: str) -> Any:
    if not isinstance(data, dict):
        raise _wrong(place, "an object", data)
    hints = _hints(cls)
    arguments = {}
    for field in dataclasses.fields(cls):
        where = f"{place}.{field.name}" if place else field.name
        if field.name in data:
            arguments[field.name] = _read(hints[field.name], data[field.name], where)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{where}: required, but absent")
    return cls(**arguments)


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _wrong(place: str, wanted: str, data: JSON) -> ValueError:
    shown = repr(data)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    return ValueError(f"{place or 'the value'}: must be {wanted}, not {shown}")
