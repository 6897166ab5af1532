"""How much of a network to remove; a plain value, so that a recipe can hold it without torch."""

import enum
from dataclasses import dataclass


class Scope(enum.StrEnum):
    """Over what channels compete."""

    GLOBAL = "global"
    LAYER = "layer"
    SENSITIVITY = "sensitivity"


class Importance(enum.StrEnum):
    """What a channel is worth: by its weights, or by what the answers would lose without it."""

    MAGNITUDE = "magnitude"
    TAYLOR = "taylor"
    HESSIAN = "hessian"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A share of the channels.

    `ratio` is the share to remove; what remains of each group becomes the nearest multiple of
    `multiple`, which runtimes with vector registers like. With the scope of sensitivity, `ratio`
    says how many weights go in all, and each group loses what the answers miss least. `ratios`
    names groups by their first layer and gives them a share of their own.
    """

    ratio: float
    scope: Scope
    multiple: int
    importance: Importance = Importance.MAGNITUDE
    ratios: tuple[tuple[str, float], ...] = ()
