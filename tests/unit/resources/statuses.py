"""Holds statuses that passes have written against what people are told about them."""

from collections.abc import Mapping
from typing import Any

from shoal.resources.base import Document, Status
from shoal.resources.fields import by_alias, document_in
from shoal.resources.kinds import KINDS


def document_of(kind: str) -> type[Document]:
    """What describes the status of a kind."""
    found = document_in(by_alias(KINDS[kind])["status"].annotation)
    assert found is not None
    assert issubclass(found, Status)
    return found


def check(kind: str, status: Mapping[str, Any]) -> None:
    """Return if every field of `status` is documented, with its type.

    Raises:
        ValidationError: one is not, or has another type than the document says.
    """
    document_of(kind).model_validate(status)
