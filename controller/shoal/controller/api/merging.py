"""Who said what of a resource: the three-way merge of what several people applied.

Each user's last applied document is kept as they wrote it, without defaults. The resource is the
union of all of them, so a field that a user leaves out of the next document goes, unless somebody
else wants it, and a field that nobody ever wrote keeps its default. Two users may want the same
value of a field; who wants another one is refused, with the name of the other, and may take the
field over.

A field is a leaf of the document: a text, a number, null or a whole list. An empty mapping is one
too, but it is in nobody's way.

Example: ann applied {a: 1, b: {c: 2}}, bob applied {b: {d: 3}}. When ann applies {a: 4}, the result
is {a: 4, b: {d: 3}}. When bob applies {a: 5}, he is told that a is 4 by ann.

Source: the idea of field ownership is that of Kubernetes' server-side apply (KEP-555).
"""

import bisect
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

KEY = "applied"  # in the data of a record: {user: {"time": RFC 3339, "tree": {…}}}
BASE = ""  # what was there before anybody applied: yields to everybody
_DEPTH = 16  # deeper than any manifest; what lies below is one leaf

Path = tuple[str, ...]
Tree = dict[str, Any]
Leaves = dict[Path, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A field, at `path`, that cannot be had since `user` has claimed `theirs` at `time`."""

    path: Path
    theirs: Path
    user: str
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one user last applied, as leaves."""

    time: str
    leaves: Leaves


Claims = dict[str, Claim]


def claims_from_json(stored: Mapping[str, Any]) -> Claims:
    """The claims in a record's data."""
    return {
        user: Claim(time=one["time"], leaves=leaves(one["tree"])) for user, one in stored.items()
    }


def claims_to_json(claims: Claims) -> dict[str, Any]:
    """The form that a record keeps."""
    return {
        user: {"time": claim.time, "tree": tree_of(claim.leaves)}
        for user, claim in sorted(claims.items())
        if claim.leaves
    }


def applied(
    claims: Claims, user: str, wanted: Claim, *, force: bool = False
) -> tuple[Claims, list[Taken]]:
    """The claims once `user` has applied `wanted`, and the fields that others have otherwise.

    With `force` those fields are taken from the others.
    """
    taken: list[Taken] = []
    after = {other: claim for other, claim in claims.items() if other != user}
    for other, claim in list(after.items()):
        found = [] if other == BASE else list(_conflicts(other, claim, wanted.leaves))
        if force:
            after[other] = _without(claim, {one.theirs for one in found})
        else:
            taken += found
    before = claims.get(user)
    after[user] = before if before and before.leaves == wanted.leaves else wanted
    return after, taken


def written(claims: Claims, user: str, before: Leaves, after: Claim) -> Claims:
    """The claims once `user` has written the whole resource over what was `before`.

    What changed is theirs from now on; what they left as it was stays whose it was.
    """
    changed = {p: v for p, v in after.leaves.items() if p not in before or before[p] != v}
    moved = [*changed, *(path for path in before if path not in after.leaves)]
    kept = {}
    for other, claim in claims.items():
        places = _Places(claim.leaves)
        kept[other] = _without(claim, {one for path in moved for one in places.overlapping(path)})
    if changed:
        old = kept[user].leaves if user in kept else {}
        kept[user] = Claim(time=after.time, leaves=old | changed)
    return kept


def union(claims: Claims) -> Tree:
    """What everybody together wants; people's wishes go over the base."""
    merged: Leaves = {}
    for user in sorted(claims):  # the base has the empty name and comes first
        found = claims[user].leaves
        places = _Places(merged)
        for path in found:
            for known in places.overlapping(path):
                if not _agree((known, merged.get(known)), (path, found[path])):
                    merged.pop(known, None)
        merged |= found
    return tree_of(merged)


def leaves(tree: Mapping[str, Any]) -> Leaves:
    """Every leaf by its path."""
    return dict(_leaves(tree, ()))


def tree_of(found: Leaves) -> Tree:
    """The document with these leaves; the inverse of `leaves`."""
    tree: Tree = {}
    # Longer paths first: an empty mapping then finds what others have put into it.
    for path, value in sorted(found.items(), key=lambda one: -len(one[0])):
        inner = tree
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        inner.setdefault(path[-1], value)
    return tree


def _leaves(tree: Mapping[str, Any], prefix: Path) -> Iterator[tuple[Path, Any]]:
    for key, value in tree.items():
        path = (*prefix, key)
        if isinstance(value, dict) and value and len(path) < _DEPTH:
            yield from _leaves(value, path)
        else:
            yield path, value


def _conflicts(user: str, claim: Claim, wanted: Leaves) -> Iterator[Taken]:
    places = _Places(claim.leaves)
    for path, value in wanted.items():
        for theirs in places.overlapping(path):
            if not _agree((theirs, claim.leaves[theirs]), (path, value)):
                yield Taken(path=path, theirs=theirs, user=user, time=claim.time)


def _agree(one: tuple[Path, Any], other: tuple[Path, Any]) -> bool:
    """Whether overlapping leaves can both be had: equal ones, or one inside an empty mapping."""
    (outer, around), (inner, value) = sorted((one, other), key=lambda leaf: len(leaf[0]))
    return bool(around == value) if outer == inner else around == {}


def _without(claim: Claim, lost: set[Path]) -> Claim:
    kept = {path: value for path, value in claim.leaves.items() if path not in lost}
    return Claim(time=claim.time, leaves=kept)


class _Places:
    """Paths in order, so that those inside a path lie side by side behind it."""

    def __init__(self, found: Leaves) -> None:
        self._ordered = sorted(found)
        self._all = set(found)

    def overlapping(self, path: Path) -> list[Path]:
        """Those at `path`, around it or inside it."""
        around = [path[:n] for n in range(1, len(path) + 1) if path[:n] in self._all]
        first = bisect.bisect_right(self._ordered, path)
        inside = itertools.takewhile(
            lambda one: one[: len(path)] == path, itertools.islice(self._ordered, first, None)
        )
        return [*around, *inside]
