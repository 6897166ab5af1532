"""What every field of a kind means, as data for `shoal explain`, and the JSON Schema."""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason
from shoal.resources.base import Document, Told
from shoal.resources.fields import by_alias, document_in
from shoal.resources.kinds import KINDS, find_kind
from shoal.resources.quantities import QUANTITY
from shoal.resources.words import suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: `default` is its JSON form, None where it is required or null."""

    name: str
    type: str
    description: str
    required: bool
    default: Any
    has_fields: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A kind or one of its fields, and the fields below it."""

    kind: str
    path: str
    type: str
    description: str
    fields: tuple[Field, ...]


def explain(subject: str) -> Explanation:
    """What `KIND` or `KIND.path.to.field` means, for example `deployment.spec.strategy.waves`.

    Raises:
        InvalidError: no such kind or field; the hint says the nearest.
    """
    first, *steps = subject.split(".")
    kind = find_kind(first)
    document: type[Document] | None = KINDS[kind]
    info: FieldInfo | None = None
    for depth, step in enumerate(steps):
        known = by_alias(document) if document is not None else {}
        if step not in known:
            raise _no_field(kind, ".".join(steps[:depth]), step, known)
        info = known[step]
        document = document_in(info.annotation)
    return Explanation(
        kind=kind,
        path=".".join(steps),
        type="object" if info is None else _type(info),
        description=_doc(KINDS[kind]) if info is None else info.description or "",
        fields=tuple(_fields(document)) if document is not None else (),
    )


def schema(kind: str) -> dict[str, Any]:
    """JSON Schema of a kind, for editors.

    Raises:
        InvalidError: no such kind.
    """
    document = KINDS[find_kind(kind)].model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def _fields(document: type[Document]) -> Iterator[Field]:
    written = not issubclass(document, Told)  # by people: else nothing is asked of them
    for name, info in by_alias(document).items():
        yield Field(
            name=name,
            type=_type(info),
            description=info.description or "",
            required=written and info.is_required(),
            default=_default(info) if written else None,
            has_fields=document_in(info.annotation) is not None,
        )


def _default(info: FieldInfo) -> Any:
    if info.is_required():
        return None
    value = info.get_default(call_default_factory=True, validated_data={})
    return _json(value)


def _json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    return [_json(one) for one in value] if isinstance(value, list) else value


def _type(info: FieldInfo) -> str:
    extra = info.json_schema_extra
    named = extra.get(QUANTITY) if isinstance(extra, dict) else None
    return str(named) if named else _name(info.annotation)


def _name(annotation: Any) -> str:
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        named = [m.json_schema_extra.get(QUANTITY) for m in parts[1:] if _has_quantity(m)]
        return str(named[0]) if named else _name(parts[0])
    if origin in {typing.Union, types.UnionType}:
        return " or ".join("null" if p is types.NoneType else _name(p) for p in parts)
    if origin is list:
        return f"list of {_name(parts[0])}"
    if origin is typing.Literal:
        return " or ".join(str(part) for part in parts)
    if origin is dict or document_in(annotation) is not None:
        return "object"
    return _PLAIN.get(annotation, "any")


_PLAIN: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "true or false"}


def _has_quantity(part: Any) -> bool:
    extra = part.json_schema_extra if isinstance(part, FieldInfo) else None
    return isinstance(extra, dict) and QUANTITY in extra


def _doc(document: type[Document]) -> str:
    return (document.__doc__ or "").strip().splitlines()[0]


def _no_field(kind: str, above: str, step: str, known: dict[str, FieldInfo]) -> InvalidError:
    where = f"{kind}.{above}" if above else kind
    return InvalidError(
        Problem(
            reason=Reason.UNKNOWN_FIELD,
            message=f"{where} has no field {step}",
            hint=suggestion(step, known) if known else f"{where} is a plain value",
        )
    )
