"""The three-way merge of what several people applied."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.controller.api import merging
from shoal.controller.api.merging import BASE, Claim, Claims


def a_claim(tree: dict[str, Any], time: str = "t") -> Claim:
    return Claim(time=time, leaves=merging.leaves(tree))


def apply(claims: Claims, user: str, tree: dict[str, Any], *, force: bool = False) -> Claims:
    after, taken = merging.applied(claims, user, a_claim(tree), force=force)
    assert not taken
    return after


def refused(claims: Claims, user: str, tree: dict[str, Any]) -> list[tuple[str, str]]:
    _, taken = merging.applied(claims, user, a_claim(tree))
    return [(".".join(one.path), one.user) for one in taken]


def test_the_example_of_the_docstring() -> None:
    claims = apply({}, "ann", {"a": 1, "b": {"c": 2}})
    claims = apply(claims, "bob", {"b": {"d": 3}})
    claims = apply(claims, "ann", {"a": 4})
    assert merging.union(claims) == {"a": 4, "b": {"d": 3}}
    assert refused(claims, "bob", {"a": 5}) == [("a", "ann")]


def test_two_may_want_the_same_and_it_stays_until_both_let_go() -> None:
    claims = apply(apply({}, "ann", {"a": 1}), "bob", {"a": 1, "b": 2})
    claims = apply(claims, "ann", {})
    assert merging.union(claims) == {"a": 1, "b": 2}
    assert merging.union(apply(claims, "bob", {})) == {}


def test_force_takes_a_field_over() -> None:
    claims = apply({}, "ann", {"a": {"b": 1, "c": 2}})
    claims = apply(claims, "bob", {"a": {"b": 9}}, force=True)
    assert merging.union(claims) == {"a": {"b": 9, "c": 2}}
    assert refused(claims, "ann", {"a": {"b": 1, "c": 2}}) == [("a.b", "bob")]


@pytest.mark.parametrize(
    ("theirs", "mine", "both"),
    [
        ({"w": {}}, {"w": {"k": 1}}, {"w": {"k": 1}}),
        ({"w": {"k": 1}}, {"w": {}}, {"w": {"k": 1}}),
        ({"w": {"k": 1}}, {"w": None}, None),
        ({"w": None}, {"w": {"k": 1}}, None),
        ({"w": None}, {"w": {}}, None),
        ({"w": [1]}, {"w": [1, 2]}, None),
    ],
)
def test_a_mapping_and_what_is_put_into_it(
    theirs: dict[str, Any], mine: dict[str, Any], both: dict[str, Any] | None
) -> None:
    claims = apply({}, "ann", theirs)
    if both is None:
        assert refused(claims, "bob", mine) == [(".".join(*merging.leaves(mine)), "ann")]
    else:
        assert merging.union(apply(claims, "bob", mine)) == both


def test_what_was_there_before_yields_and_comes_back() -> None:
    claims = apply({BASE: a_claim({"l": {"x": 1, "y": 2}})}, "ann", {"l": {"x": 5}})
    assert merging.union(claims) == {"l": {"x": 5, "y": 2}}
    assert merging.union(apply(claims, "ann", {})) == {"l": {"x": 1, "y": 2}}
    assert merging.union(apply(claims, "ann", {"l": None})) == {"l": None}


def test_writing_a_whole_resource_claims_what_it_changed() -> None:
    claims = apply(apply({}, "ann", {"a": 1, "b": 2}), "bob", {"c": {"d": 3, "e": 4}})
    before = merging.leaves({"a": 1, "b": 2, "c": {"d": 3, "e": 4}, "default": 0})
    after = a_claim({"a": 9, "b": 2, "c": {"d": 3}, "default": 0})
    claims = merging.written(claims, "cem", before, after)
    assert merging.union(claims) == {"a": 9, "b": 2, "c": {"d": 3}}
    assert refused(claims, "ann", {"a": 1}) == [("a", "cem")]
    assert refused(claims, "ann", {"e": 4}) == []


TREES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.none() | st.integers(0, 2) | st.lists(st.integers(0, 1), max_size=2),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)


@given(TREES)
def test_leaves_and_trees_are_two_forms_of_one_thing(tree: dict[str, Any]) -> None:
    assert merging.tree_of(merging.leaves(tree)) == tree


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob"]), TREES, st.booleans()), max_size=6))
def test_what_was_applied_last_is_there_and_nobody_else_lost_a_field(
    steps: list[tuple[str, dict[str, Any], bool]],
) -> None:
    claims: Claims = {}
    for user, tree, force in steps:
        after, taken = merging.applied(claims, user, a_claim(tree), force=force)
        if taken:
            continue
        whole = merging.leaves(merging.union(after))
        for path, value in merging.leaves(tree).items():
            assert whole.get(path) == value or value == {}
        for other in set(claims) - {user} if not force else ():
            assert after[other] == claims[other]
        assert merging.applied(after, user, a_claim(tree))[0] == after
        assert merging.claims_from_json(merging.claims_to_json(after)) == {
            one: claim for one, claim in after.items() if claim.leaves
        }
        claims = after
