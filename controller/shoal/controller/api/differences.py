"""Which fields differ between two versions of a resource, for people: never the status."""

from collections.abc import Iterator, Mapping
from typing import Any

_METADATA = ("labels", "annotations")


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every field that people write and that differs: `{"field", "from", "to"}`; null is absence.

    Objects are compared field by field, also with one that is absent; lists of equal length item by
    item, others as a whole.
    """
    found = list(_different(before.get("spec"), after.get("spec"), "spec"))
    for name in _METADATA:
        old = (before.get("metadata") or {}).get(name) or {}
        new = (after.get("metadata") or {}).get(name) or {}
        found += _different(old, new, f"metadata.{name}")
    return found


def _different(before: Any, after: Any, place: str) -> Iterator[dict[str, Any]]:
    if before == after:
        return
    if {type(before), type(after)} <= {dict, type(None)} and (before or after):
        before, after = before or {}, after or {}
        for key in sorted({*before, *after}):
            yield from _different(before.get(key), after.get(key), f"{place}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _different(one, other, f"{place}[{i}]")
    else:
        yield {"field": place, "from": before, "to": after}
