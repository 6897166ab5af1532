"""How devices are named in sentences: all of them where they are few."""

from collections.abc import Sequence

NAMED = 10  # a condition is read by people; a thousand names would be written anew with each change


def listed(names: Sequence[str]) -> str:
    """The names in their order; of twelve the first ten, `and 2 more`."""
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
