"""Changed fields as people read them: `~ spec.strategy.quorum: 50% -> 20%`.

`+` is what was not there, `-` what is no longer. Items of lists are told one by one, by the name
that they have among their like where they have one.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from shoal.cli import facts

_NAMES = ("name", "metric", "key", "label")  # what tells the items of a list apart


def lines(field: str, before: Any, after: Any) -> Iterator[str]:
    """How one field changed; None is absence."""
    if before == after:
        return
    if isinstance(before, list) and isinstance(after, list):
        yield from _items(field, before, after)
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from lines(f"{field}.{key}", before.get(key), after.get(key))
    elif before is None:
        yield f"+ {field}: {written(after)}"
    elif after is None:
        yield f"- {field}: {written(before)}"
    else:
        yield f"~ {field}: {written(before)} -> {written(after)}"


def written(value: Any) -> str:
    """A value on one line, as a manifest may have it; of a digest the digits that others show."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {written(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, str):
        return facts.short_digest(value) if value.startswith("sha256:") else value
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _items(field: str, before: list[Any], after: list[Any]) -> Iterator[str]:
    name = _name_of((before, after))
    if name is None:
        told = [f"- {field}: {written(one)}" for one in before if one not in after]
        told += [f"+ {field}: {written(one)}" for one in after if one not in before]
    else:
        old = {f"{field}[{one[name]}]": one for one in before}
        new = {f"{field}[{one[name]}]": one for one in after}
        places = dict.fromkeys((*old, *new))
        told = [text for one in places for text in lines(one, old.get(one), new.get(one))]
    # Nothing came and nothing went: the order is another.
    yield from told or [f"~ {field}: {written(before)} -> {written(after)}"]


def _name_of(lists: Sequence[list[Any]]) -> str | None:
    """The field by which every item of both lists has a name of its own."""
    if not all(isinstance(one, dict) for one in chain(*lists)):
        return None
    for name in _NAMES:
        names = [[one.get(name) for one in items] for items in lists]
        if all(None not in some and len(set(map(str, some))) == len(some) for some in names):
            return name
    return None
