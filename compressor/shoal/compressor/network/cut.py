"""How much of a network to remove; a plain value, so that a recipe can hold it without torch."""

import enum
from dataclasses import dataclass


class Scope(enum.StrEnum):
    """Over what channels compete."""

    GLOBAL = "global"
    LAYER = "layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A share of the channels.

    `ratio` is the share to remove; what remains of each group becomes the nearest multiple of
    `multiple`, which runtimes with vector registers like.
    """

    ratio: float
    scope: Scope
    multiple: int
