"""Which resources a line means: `device cam-1`, `devices cam-1 cam-2` or `device/cam-1`.

What `-o name` prints is understood: `device/cam-1 device/cam-2` are names of one kind.
"""

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
        InvalidError: no such kind, or names of several.
    """
    from shoal.client import kinds

    word, slash, _name = words[0].partition("/")
    kind = kinds.named(word)
    return Target(kind=kind, names=tuple(_name_of(kind, one) for one in words[not slash :]))


def _name_of(kind: "Kind", word: str) -> str:
    from shoal.client import kinds

    before, slash, name = word.rpartition("/")
    if slash and kinds.named(before) != kind:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"{word} is no {kind.name}",
                hint="name resources of one kind at a time",
            )
        )
    return name


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
