"""How a window slides: ONNX says pads, LiteRT says SAME, VALID or an operator before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from shoal.compressor.litert.draft import Draft
from shoal.compressor.litert.graph import Node, refusal

SAME: Final = schema.Padding.SAME
VALID: Final = schema.Padding.VALID


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """(height, width) each; `pads` are (top, left, bottom, right) as ONNX orders them."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]

    @property
    def reach(self) -> tuple[int, int]:
        """How far one window reaches: a kernel of 3 dilated by 2 covers 5."""
        return (
            (self.kernel[0] - 1) * self.dilations[0] + 1,
            (self.kernel[1] - 1) * self.dilations[1] + 1,
        )

    @property
    def is_padded(self) -> bool:
        """Whether anything is added at an edge."""
        return any(self.pads)


def window(node: Node, kernel: Sequence[int], sizes: Sequence[int]) -> Window:
    """The window of a node over an input of `sizes` (height, width)."""
    if len(kernel) != 2:
        raise refusal(f"{node.kind} over {len(kernel)} dimensions has no form in LiteRT")
    strides = _pair(node, "strides")
    dilations = _pair(node, "dilations")
    bare = Window(kernel=_two(kernel), strides=strides, dilations=dilations, pads=(0, 0, 0, 0))
    mode = node.attributes.get("auto_pad", b"NOTSET")
    if mode in {b"NOTSET", b"VALID"}:
        given = tuple(node.attributes.get("pads", (0, 0, 0, 0)))
        pads = given if mode == b"NOTSET" else (0, 0, 0, 0)
    else:
        totals = _same_totals(bare, sizes)
        before = [t // 2 if mode == b"SAME_UPPER" else t - t // 2 for t in totals]
        pads = (*before, *(t - b for t, b in zip(totals, before, strict=True)))
    top, left, bottom, right = pads
    return Window(
        kernel=bare.kernel, strides=strides, dilations=dilations, pads=(top, left, bottom, right)
    )


def scheme(found: Window, sizes: Sequence[int], outputs: Sequence[int]) -> int | None:
    """SAME or VALID where one of them says the same; None where a pad must come before.

    Example: 49 rows, kernel 10, stride 2: SAME gives ceil(49 / 2) = 25 rows out of
    (25 - 1) * 2 + 10 - 49 = 9 rows of padding, 4 of them on top.
    """
    valid = [(s - r) // t + 1 for s, r, t in zip(sizes, found.reach, found.strides, strict=True)]
    if not found.is_padded and list(outputs) == valid:
        return int(VALID)
    totals = _same_totals(found, sizes)
    before = tuple(t // 2 for t in totals)
    after = tuple(t - b for t, b in zip(totals, before, strict=True))
    same = [-(-s // t) for s, t in zip(sizes, found.strides, strict=True)]
    if found.pads == (*before, *after) and list(outputs) == same:
        return int(SAME)
    return None


def padded(draft: Draft, tensor: int, shape: Sequence[int], found: Window) -> int:
    """`tensor` of `shape` (channels last) with the window's zeros around it."""
    n, h, w, c = shape
    top, left, bottom, right = found.pads
    amounts = draft.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
    wider = (n, h + top + bottom, w + left + right, c)
    return draft.inner("PAD", [tensor, amounts], wider, Options="PadOptions")


def _same_totals(found: Window, sizes: Sequence[int]) -> list[int]:
    return [
        max((-(-size // stride) - 1) * stride + reach - size, 0)
        for size, stride, reach in zip(sizes, found.strides, found.reach, strict=True)
    ]


def _pair(node: Node, key: str) -> tuple[int, int]:
    return _two(node.attributes.get(key, (1, 1)))


def _two(numbers: Sequence[int]) -> tuple[int, int]:
    first, second = numbers
    return int(first), int(second)
