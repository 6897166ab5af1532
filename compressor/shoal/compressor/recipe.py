"""A recipe: the ordered passes that make one candidate out of the source.

It is a frozen, hashable value. Its canonical JSON is the same on every machine, so its digest is a
key for caches and names a variant's origin for ever. A pass config therefore holds only JSON
scalars, tuples of them, and enums of strings.
"""

import json
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from shoal.compressor.passes.protocol import IN_TITLE, Pass
from shoal.contract import digest


@dataclass(frozen=True, slots=True)
class Recipe:
    """Passes in the order they run; the empty recipe is the source as it came."""

    passes: tuple[Pass, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """`{"passes": [{"method": …, …}, …]}`, the form that reports show."""
        return {"passes": [_pass_json(config) for config in self.passes]}

    @property
    def canonical(self) -> str:
        """JSON with sorted keys and no spaces: equal recipes, equal text."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def digest(self) -> digest.Digest:
        """The digest of the canonical JSON."""
        return digest.of_bytes(self.canonical.encode())

    @property
    def title(self) -> str:
        """A short name for people, such as `graph + prune(ratio=0.7) + quantize static`."""
        return " + ".join(_pass_title(config) for config in self.passes) or "source"


def _pass_title(config: Pass) -> str:
    """The method with its scheme, what is marked for titles, and what is not as by default."""
    scheme = next((field for field in fields(config) if field.name == "scheme"), None)
    settings = [field for field in fields(config) if field.init]
    marked = [field for field in settings if field.metadata == IN_TITLE]
    changed = [field for field in settings if getattr(config, field.name) != field.default]
    shown = [
        f"{name}={_value_json(getattr(config, name))}"
        for name in dict.fromkeys(field.name for field in (*marked, *changed))
    ]
    kind = f" {getattr(config, scheme.name)}" if scheme else ""
    listed = f"({', '.join(shown)})" if shown else ""
    return f"{config.method}{kind}{listed}"


def _pass_json(config: Pass) -> dict[str, Any]:
    return {field.name: _value_json(getattr(config, field.name)) for field in fields(config)}


def _value_json(value: Any) -> Any:
    match value:
        case Enum():
            return _value_json(value.value)
        case None | bool() | int() | float() | str():
            return value
        case tuple():
            return [_value_json(item) for item in value]
        case _:
            raise RuntimeError(f"a pass config cannot hold {type(value).__name__}: {value!r}")
