"""What every decoder checks, each with the field's name in front of the message."""

import math
from collections.abc import Sized
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from shoal.contract import digest
from shoal.contract.digest import Digest
from shoal.contract.limits import MESSAGE_TEXT_CHARS

M = TypeVar("M", bound=Message)


def parse(kind: type[M], data: bytes) -> M:
    """The message of type `kind` in `data`.

    Raises:
        ValueError: `data` is not such a message.
    """
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from None


def digest_in(text: str, field: str) -> Digest:
    """A well-formed digest."""
    try:
        return digest.parse(text)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def finite(value: float, field: str) -> float:
    """A number from 0 up that JSON can hold too."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{field}: must be a finite number from 0 up, not {value}")
    return value


def at_most(items: Sized, limit: int, field: str) -> None:
    """No more items than both sides agreed to hold."""
    if len(items) > limit:
        raise ValueError(f"{field}: has {len(items)} items, the limit is {limit}")


def text_for_people(text: str) -> str:
    """Cut to the limit, never refused."""
    return text[:MESSAGE_TEXT_CHARS]
