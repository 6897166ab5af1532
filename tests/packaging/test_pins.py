"""Every distribution that an extra brings has its pin, and no pin is left over."""

import importlib.metadata
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.conftest import CONSTRAINTS

# What the build of our own wheel needs; pip isolates that build, so nothing else asks for them.
BUILD = {"hatchling", "trove-classifiers"}


def pins() -> dict[str, str]:
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}


def needed(
    name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]
) -> Iterator[str]:
    """The distributions that `name` with `extras` leads to, itself included."""
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    yield name
    for text in importlib.metadata.requires(name) or []:
        wanted = Requirement(text)
        environments = [{"extra": extra} for extra in extras or {""}]
        if wanted.marker is None or any(wanted.marker.evaluate(one) for one in environments):
            yield from needed(canonicalize_name(wanted.name), frozenset(wanted.extras), seen)


def test_everything_is_pinned_and_no_pin_is_left_over() -> None:
    wanted = set(needed("shoal", frozenset({"all", "test"}), set())) - {"shoal"}
    assert wanted == pins().keys() - BUILD


def test_what_is_installed_is_what_is_pinned() -> None:
    installed = {name: importlib.metadata.version(name) for name in pins().keys() - BUILD}
    public = {name: version.partition("+")[0] for name, version in installed.items()}
    assert public == {name: pins()[name] for name in public}
