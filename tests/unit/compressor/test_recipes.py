"""Recipes are values: equal ones have equal text and digests, on every machine."""

from dataclasses import dataclass, field
from typing import Literal

import onnx
import pytest

from shoal.compressor.passes.distill import Distill
from shoal.compressor.passes.graph import Clean
from shoal.compressor.passes.protocol import PassContext, PassResult
from shoal.compressor.passes.prune import Prune
from shoal.compressor.passes.quantize import DynamicInt8, Integers, StaticInt8
from shoal.compressor.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """A pass whose config holds what JSON cannot."""

    method: Literal["odd"] = field(default="odd", init=False)
    value: object = None

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """Leaves the model as it is."""
        del context
        return PassResult(model=model)


def test_equal_recipes_are_one_key() -> None:
    one, other = (Recipe((Clean(), StaticInt8(exclude=("a",)))) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one.digest == other.digest


def test_every_setting_is_part_of_the_digest() -> None:
    recipes = [
        Recipe(),
        Recipe((Clean(),)),
        Recipe((Clean(), StaticInt8())),
        Recipe((StaticInt8(), Clean())),
        Recipe((Clean(), StaticInt8(integers=Integers.S8S8))),
        Recipe((Clean(), StaticInt8(per_channel=False))),
        Recipe((Clean(), DynamicInt8())),
        Recipe((Clean(), Prune(ratio=0.5))),
        Recipe((Clean(), Prune(ratio=0.7))),
        Recipe((Clean(), Distill(width=0.5))),
    ]
    assert len({recipe.digest for recipe in recipes}) == len(recipes)


def test_the_canonical_text_is_pinned() -> None:
    assert Recipe((Clean(), DynamicInt8())).canonical == (
        '{"passes":[{"method":"graph","steps":["opset","slim","basic"]},'
        '{"exclude":[],"layers":[],"method":"quantize","per_channel":false,"reduce_range":false,'
        '"scheme":"dynamic"}]}'
    )


def test_a_title_tells_recipes_apart() -> None:
    assert Recipe().title == "source"
    recipe = Recipe((Clean(), Prune(ratio=0.5), StaticInt8(per_channel=False)))
    assert recipe.title == "graph + prune(ratio=0.5) + quantize static(per_channel=False)"


def test_a_config_that_json_cannot_say_is_our_own_mistake() -> None:
    with pytest.raises(RuntimeError, match="cannot hold set"):
        _ = Recipe((Odd(value={1}),)).canonical
