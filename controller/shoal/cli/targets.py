"""Which resources a line means: `device cam-1`, `devices cam-1 cam-2` or `device/cam-1`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.client.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A kind and the names asked for; no names mean all."""

    kind: "Kind"
    names: tuple[str, ...]


def parse(words: Sequence[str]) -> Target:
    """The target that `words` name.

    Raises:
        InvalidError: no such kind.
    """
    from shoal.client import kinds

    kind, slash, name = words[0].partition("/")
    names = (name, *words[1:]) if slash else tuple(words[1:])
    return Target(kind=kinds.named(kind), names=names)


def exactly_one(words: Sequence[str], verb: str) -> tuple["Kind", str]:
    """Kind and name of the single resource that `words` name.

    Raises:
        InvalidError: no such kind, or not exactly one name.
    """
    target = parse(words)
    if len(target.names) != 1:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"`shoal {verb}` needs a kind and one name",
                hint=f"for example shoal {verb} {target.kind.name.lower()} NAME",
            )
        )
    return target.kind, target.names[0]
