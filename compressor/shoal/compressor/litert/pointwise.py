"""Operators that take numbers one by one, in whichever layout they come."""

from typing import Final

import numpy as np

from shoal.compressor.litert.assembly import ACTIVATION
from shoal.compressor.litert.draft import Draft
from shoal.compressor.litert.graph import Node, refusal

_BINARY: Final = {
    "Add": ("ADD", "AddOptions"),
    "Sub": ("SUB", "SubOptions"),
    "Mul": ("MUL", "MulOptions"),
    "Div": ("DIV", "DivOptions"),
    "Max": ("MAXIMUM", "MaximumMinimumOptions"),
    "Min": ("MINIMUM", "MaximumMinimumOptions"),
    "Pow": ("POW", "PowOptions"),
}
_FUSING: Final = {"Add", "Sub", "Mul", "Div"}
_UNARY: Final = {
    "Sigmoid": ("LOGISTIC", None),
    "Tanh": ("TANH", None),
    "Exp": ("EXP", "ExpOptions"),
    "Log": ("LOG", None),
    "Sqrt": ("SQRT", None),
    "Abs": ("ABS", "AbsOptions"),
    "Neg": ("NEG", "NegOptions"),
    "Floor": ("FLOOR", None),
    "HardSwish": ("HARD_SWISH", "HardSwishOptions"),
}
_CLIPS: Final = {
    ACTIVATION.RELU: "RELU",
    ACTIVATION.RELU6: "RELU6",
    ACTIVATION.RELU_N1_TO_1: "RELU_N1_TO_1",
}
BINARY: Final = tuple(_BINARY)
UNARY: Final = tuple(_UNARY)
_SIXTH: Final = 1 / 6


def binary(draft: Draft, node: Node) -> None:
    """Sums, products and the like, with ONNX's broadcasting."""
    if len(node.inputs) != 2:
        raise refusal(f"{node.kind} of {len(node.inputs)} values has no form in LiteRT")
    kind, table = _BINARY[node.kind]
    fused, name = draft.activation(node) if node.kind in _FUSING else (None, node.outputs[0])
    options: dict[str, object] = {"Options": table}
    if fused is not None:
        options["fusedActivationFunction"] = fused
    if _works_last(draft, node.inputs, node.outputs[0]):
        draft.put_last(kind, [draft.last(one) for one in node.inputs], name, **options)
    else:
        draft.put(kind, [draft.plain(one) for one in node.inputs], name, **options)


def unary(draft: Draft, node: Node) -> None:
    """Functions of one number that LiteRT has too."""
    kind, table = _UNARY[node.kind]
    _put(draft, node, kind, **({"Options": table} if table else {}))


def elu(draft: Draft, node: Node) -> None:
    """Elu with an alpha of 1, the only one LiteRT has."""
    if node.attributes.get("alpha", 1.0) != 1.0:
        raise refusal("an Elu with another alpha than 1 has no form in LiteRT")
    _put(draft, node, "ELU")


def leaky_relu(draft: Draft, node: Node) -> None:
    """LeakyRelu with its slope."""
    slope = float(node.attributes.get("alpha", 0.01))
    _put(draft, node, "LEAKY_RELU", Options="LeakyReluOptions", alpha=slope)


def prelu(draft: Draft, node: Node) -> None:
    """PRelu, whose slopes LiteRT wants per channel of the last axis."""
    x, slopes = node.inputs[0], draft.stored(node.input(1), "the slope of PRelu")
    rank = len(draft.shape(x))
    wide = slopes.reshape((1,) * (rank - slopes.ndim) + slopes.shape)
    if rank == 4:
        shared = draft.constant(wide.transpose(0, 2, 3, 1)[0])
        draft.put_last("PRELU", [draft.last(x), shared], node.outputs[0])
    else:
        draft.put("PRELU", [draft.plain(x), draft.constant(wide[0])], node.outputs[0])


def clip(draft: Draft, node: Node) -> None:
    """Relu and Clip that follow nothing they could be part of."""
    code = draft.clip(node)
    if code is not None:
        _put(draft, node, _CLIPS[code])
        return
    low, high = draft.bounds(node)
    x = node.inputs[0]
    at_last = draft.prefers_last(x)
    tensor = draft.last(x) if at_last else draft.plain(x)
    shape = draft.last_shape(x) if at_last else draft.shape(x)
    options = {"Options": "MaximumMinimumOptions"}
    if low > -np.inf:
        tensor = draft.inner(
            "MAXIMUM", [tensor, draft.constant(np.array(low, np.float32))], shape, **options
        )
    put = draft.put_last if at_last else draft.put
    limit = draft.constant(np.array(min(high, float(np.finfo(np.float32).max)), np.float32))
    put("MINIMUM", [tensor, limit], node.outputs[0], **options)


def hard_sigmoid(draft: Draft, node: Node) -> None:
    """HardSigmoid as relu6(alpha * 6 * x + 6 * beta) / 6, which are three fast operators."""
    alpha = float(node.attributes.get("alpha", 0.2))
    beta = float(node.attributes.get("beta", 0.5))
    x = node.inputs[0]
    at_last = draft.prefers_last(x)
    tensor = draft.last(x) if at_last else draft.plain(x)
    shape = draft.last_shape(x) if at_last else draft.shape(x)
    steep = draft.constant(np.array(6 * alpha, np.float32))
    lifted = draft.constant(np.array(6 * beta, np.float32))
    scaled = draft.inner("MUL", [tensor, steep], shape, Options="MulOptions")
    clipped = draft.inner(
        *("ADD", [scaled, lifted], shape),
        Options="AddOptions",
        fusedActivationFunction=ACTIVATION.RELU6,
    )
    put = draft.put_last if at_last else draft.put
    sixth = draft.constant(np.array(_SIXTH, np.float32))
    put("MUL", [clipped, sixth], node.outputs[0], Options="MulOptions")


def identity(draft: Draft, node: Node) -> None:
    """Identity, and Dropout where nothing is trained."""
    if draft.is_stored(node.inputs[0]):
        draft.alias_plain(node.outputs[0], draft.plain(node.inputs[0]))
    else:
        draft.alias(node.outputs[0], node.inputs[0])


def _works_last(draft: Draft, inputs: tuple[str, ...], output: str) -> bool:
    """Whether an operator on several values is written with channels last."""
    if len(draft.shape(output)) != 4:
        return False
    computed = [one for one in inputs if not draft.is_stored(one)]
    if any(len(draft.shape(one)) != 4 for one in computed):
        return False
    return any(draft.prefers_last(one) for one in computed)


def _put(draft: Draft, node: Node, kind: str, **options: object) -> None:
    x, name = node.inputs[0], node.outputs[0]
    if draft.prefers_last(x):
        draft.put_last(kind, [draft.last(x)], name, **options)
    else:
        draft.put(kind, [draft.plain(x)], name, **options)
