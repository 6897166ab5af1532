"""Reads request bodies: bounded, and JSON where it has to be."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Request

from shoal.contract.limits import MANIFEST_BYTES
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason
from shoal.controller.api.failures import UnreadableError
from shoal.resources.words import suggestion


async def read(request: Request, limit: int) -> bytes:
    """The whole body, if it has at most `limit` bytes.

    Raises:
        UnreadableError: it is longer (413).
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise UnreadableError(413, f"the body is longer than {limit} bytes")
    return bytes(data)


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body.

    Raises:
        UnreadableError: too long (413), or not a JSON object (400).
    """
    text = await read(request, MANIFEST_BYTES)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(400, f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UnreadableError(400, "the body is not a JSON object")
    return document


def only(document: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse fields that nobody would read.

    Raises:
        InvalidError: an unknown field; the hint says the nearest.
    """
    for name in document:
        if name not in known:
            raise InvalidError(
                Problem(
                    reason=Reason.UNKNOWN_FIELD,
                    message=f"the body has no field {name}",
                    field=name,
                    hint=suggestion(name, known),
                )
            )


def invalid(field: str, message: str) -> InvalidError:
    """The refusal of one field's value."""
    return InvalidError(Problem(reason=Reason.INVALID, message=message, field=field))
