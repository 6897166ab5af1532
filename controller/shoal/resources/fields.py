"""Finds the part of the schema that a path in a document leads to."""

import types
import typing
from collections.abc import Sequence
from typing import Any

from pydantic.fields import FieldInfo

from shoal.resources.base import Document

Step = str | int


def document_in(annotation: Any) -> type[Document] | None:
    """The model that a field holds, in a list, a mapping or as an option too; None for values."""
    if isinstance(annotation, type) and issubclass(annotation, Document):
        return annotation
    for part in typing.get_args(annotation):
        if part is not types.NoneType and (found := document_in(part)):
            return found
    return None


def by_alias(document: type[Document]) -> dict[str, FieldInfo]:
    """The fields of a model under the names that people write."""
    return {info.alias or name: info for name, info in document.model_fields.items()}


def document_at(root: type[Document], path: Sequence[Step]) -> type[Document] | None:
    """The model at `path` below `root`, or None where a plain value or nothing is."""
    here: type[Document] | None = root
    for step in path:
        if isinstance(step, int):
            continue
        if here is None or step not in by_alias(here):
            return None
        here = document_in(by_alias(here)[step].annotation)
    return here


def text_of(path: Sequence[Step]) -> str:
    """`spec.strategy.waves[0].size` for ("spec", "strategy", "waves", 0, "size")."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
