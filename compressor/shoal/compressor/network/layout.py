"""Where the rows are: how the graph sees one row of a value, and how the network holds many.

A network holds every value with the rows in front: (rows, …). The graph may have them elsewhere (a
transformer written for (length, batch, width)), may have merged them with another axis (batch times
heads), or may have no axis for them at all. So a value is described by its shape for one row, and
by the axis, of length one, that the rows take the place of. Whatever the graph does with that axis
is then a question of names, and the numbers of each row stay together.

Worked example: one row (7, 1, 16) with rows 1 is held as (rows, 7, 16); one row (4, 7, 16) without
an axis for rows as (rows, 4, 7, 16).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One row of a value: its shape in the graph, and the axis of length one that rows take."""

    shape: Shape
    rows: int | None

    @property
    def held(self) -> Shape:
        """The shape of one row in the network: rows in front, their place in the graph left out."""
        if self.rows is None:
            return (1, *self.shape)
        return (1, *self.shape[: self.rows], *self.shape[self.rows + 1 :])

    def axis(self, axis: int) -> int:
        """An axis of the graph as the network counts it; 0 is that of the rows."""
        place = axis % max(len(self.shape), 1)
        if self.rows is None:
            return place + 1
        if place == self.rows:
            return 0
        return place + 1 if place < self.rows else place

    @classmethod
    def of(cls, held: Shape, rows: int | None) -> "View":
        """The view of a value held in this shape, whose rows the graph has at `rows`."""
        rest = held[1:]
        shape = rest if rows is None else (*rest[:rows], 1, *rest[rows:])
        return cls(shape=shape, rows=rows)


def resolved_shape(shape: Shape, asked: Sequence[int]) -> Shape:
    """The target of a reshape with 0 (as in the input) and -1 (what is left) replaced.

    Worked example: (1, 16, 4, 4) asked for [0, -1] -> (1, 256).
    """
    target = [shape[axis] if size == 0 else size for axis, size in enumerate(asked)]
    if -1 in target:
        known = math.prod(size for size in target if size != -1)
        target[target.index(-1)] = math.prod(shape) // max(known, 1)
    return tuple(target)


def regrouped(view: View, target: Shape) -> View:
    """The view after a reshape: the rows keep their place among the elements, if one is left.

    Worked example: (7, 1, 16) with rows 1 as (7, 1, 4, 4) keeps 1; as (28, 4) they are merged:
    None; and (28, 4) without rows as (7, 1, 4, 4) finds the axis of length one again.
    """
    free = [axis for axis, size in enumerate(target) if size == 1]
    if view.rows is not None:
        before = math.prod(view.shape[: view.rows])
        fitting = [axis for axis in free if math.prod(target[:axis]) == before]
        if view.rows in fitting:
            return View(shape=target, rows=view.rows)
        free = fitting or free
    return View(shape=target, rows=free[0] if free else None)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape that numpy's rules give; sizes that do not fit are for the operator to refuse."""
    rank = max((len(shape) for shape in shapes), default=0)
    filled = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(max(sizes) if 0 not in sizes else 0 for sizes in zip(*filled, strict=True))


def aligned(views: Sequence[View], constants: Sequence[Shape], tail: int = 0) -> list[View]:
    """The views with axes of length one put in front, so that all have the rows at one place.

    `constants` are the shapes of the other operands; the last `tail` axes (those of a matrix) are
    left alone. The rows take the first place where some operand has them and the result is one
    long; where there is none, they get an axis of their own.
    """
    shapes = [view.shape[: len(view.shape) - tail] for view in views]
    result = broadcast([*shapes, *(shape[: len(shape) - tail] for shape in constants)])
    rank = len(result)
    places = [
        view.rows + rank - len(shape)
        for view, shape in zip(views, shapes, strict=True)
        if view.rows is not None and view.rows < len(shape)
    ]
    rows = next((place for place in places if result[place] == 1), None)
    return [
        View(shape=(1,) * (rank + tail - len(view.shape)) + view.shape, rows=rows) for view in views
    ]
