"""How devices are named and counted in sentences: all by name where they are few."""

from collections.abc import Sequence

NAMED = 10  # a condition is read by people; a thousand names would be written anew with each change


def listed(names: Sequence[str]) -> str:
    """The names in their order; of twelve the first ten, `and 2 more`."""
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"


def counted(number: int, what: str) -> str:
    """`1 device`, `3 devices`, `2 profile classes`."""
    return f"{number} {what if number == 1 else what + ('es' if what.endswith('s') else 's')}"
