"""One inference request of the Open Inference Protocol v2: from its body to its answer's body.

Source: see `tensors`. Nothing here waits or touches sockets.
"""

import itertools
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shoal.agent.serve import tensors
from shoal.agent.serve.errors import RequestError
from shoal.agent.serve.sessions import Array, Session
from shoal.agent.serve.slots import Slot
from shoal.contract.limits import INFER_ID_CHARS

# Ids that the engine gives: unique over restarts by the prefix, within one by the number.
_PREFIX = secrets.token_hex(4)
_numbers = itertools.count(1)

# Extensions of Triton that change what an answer means: refused rather than ignored.
_UNSUPPORTED = ("classification", "shared_memory_region")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that fits the model; `wanted` maps output names to whether they go as bytes."""

    id: str
    feeds: Mapping[str, Array]
    wanted: Mapping[str, bool]
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response body; `json_bytes` is where its JSON ends, None where there is nothing after."""

    body: bytes
    json_bytes: int | None = None


def parse(body: bytes, json_bytes: int | None, session: Session) -> Call:
    """The call in a body, checked against the model.

    Raises:
        RequestError: 400, naming what does not fit.
    """
    document = parse_json(body if json_bytes is None else body[:json_bytes])
    rest = memoryview(b"") if json_bytes is None else memoryview(body)[json_bytes:]
    feeds = _feeds(document, rest, session)
    first = feeds[session.inputs[0].name]
    batched = session.inputs[0].shape[:1] in {(1,), (-1,)}
    return Call(
        id=parse_id(document.get("id")) or f"{_PREFIX}-{next(_numbers)}",
        feeds=feeds,
        wanted=_wanted(document, session),
        rows=len(first) if batched else 1,
    )


def parse_json(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`.

    Raises:
        RequestError: it is none.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise RequestError(400, "the body must be a JSON object")
    return document


def parse_id(value: object) -> str:
    """A request's id; empty where it has none.

    Raises:
        RequestError: it is no string, or too long.
    """
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > INFER_ID_CHARS:
        raise RequestError(400, f"id must be a string of at most {INFER_ID_CHARS} characters")
    return value


def encode(call: Call, slot: Slot, outputs: Mapping[str, Array]) -> Answer:
    """The response to `call`, as lists or bytes as it asked for."""
    described = []
    blobs = []
    for name, binary in call.wanted.items():
        array = outputs[name]
        one: dict[str, Any] = {
            "name": name,
            "datatype": tensors.datatype_of(array.dtype),
            "shape": list(array.shape),
        }
        if binary:
            blobs.append(tensors.to_bytes(array))
            one["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            one["data"] = array.ravel().tolist()
        described.append(one)
    document = {
        "model_name": slot.spec.model,
        "model_version": str(slot.spec.generation),
        "id": call.id,
        "parameters": {"variant": slot.spec.variant},
        "outputs": described,
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    if not blobs:
        return Answer(body=text)
    return Answer(body=b"".join((text, *blobs)), json_bytes=len(text))


def _feeds(document: Mapping[str, Any], rest: memoryview, session: Session) -> dict[str, Array]:
    known = {one.name: one for one in session.inputs}
    feeds: dict[str, Array] = {}
    for one in _objects(document.get("inputs"), "inputs"):
        name = _name(one, "input")
        if name not in known:
            raise RequestError(400, f"the model has no input {name!r}; it has {', '.join(known)}")
        if name in feeds:
            raise RequestError(400, f"input {name!r} is given twice")
        dtype = tensors.parse_datatype(name, one.get("datatype"))
        shape = tensors.parse_shape(name, one.get("shape"))
        spec = known[name]
        if dtype != spec.dtype:
            wanted = tensors.datatype_of(spec.dtype)
            raise RequestError(400, f"input {name!r} must be {wanted}, not {one['datatype']}")
        if not spec.admits(shape):
            raise RequestError(
                400,
                f"input {name!r} has shape {list(shape)}; the model takes {list(spec.shape)}"
                " (-1 is any size)",
            )
        size = _parameters(one, name).get("binary_data_size")
        if size is None:
            feeds[name] = tensors.from_list(name, one.get("data"), dtype, shape)
            continue
        if type(size) is not int or not 0 <= size <= len(rest):
            raise RequestError(400, f"input {name!r}: binary_data_size goes beyond the body")
        feeds[name] = tensors.from_bytes(name, rest[:size], dtype, shape)
        rest = rest[size:]
    if missing := known.keys() - feeds.keys():
        raise RequestError(400, f"the model also needs input {', '.join(sorted(missing))}")
    if len(rest):
        raise RequestError(400, f"{len(rest)} bytes after the last binary tensor")
    return feeds


def _wanted(document: Mapping[str, Any], session: Session) -> dict[str, bool]:
    known = [one.name for one in session.outputs]
    by_default = _parameters(document, "the request").get("binary_data_output") is True
    if document.get("outputs") is None:
        return dict.fromkeys(known, by_default)
    wanted = {}
    for one in _objects(document["outputs"], "outputs"):
        name = _name(one, "output")
        if name not in known:
            raise RequestError(400, f"the model has no output {name!r}; it has {', '.join(known)}")
        wanted[name] = _parameters(one, name).get("binary_data", by_default) is True
    return wanted or dict.fromkeys(known, by_default)


def _objects(value: object, what: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise RequestError(400, f"{what} must be a list of objects")
    return value


def _name(one: Mapping[str, Any], what: str) -> str:
    name = one.get("name")
    if not isinstance(name, str):
        raise RequestError(400, f"every {what} needs a name")
    return name


def _parameters(one: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    parameters = one.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise RequestError(400, f"{where}: parameters must be an object")
    for name in _UNSUPPORTED:
        if name in parameters:
            raise RequestError(400, f"{where}: the parameter {name} is not supported")
    return parameters
