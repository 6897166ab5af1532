"""Single facts read out of resource documents, as text for people; `-` where there is none."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shoal.contract import units

Resource = Mapping[str, Any]
NONE = "-"


def at(resource: Resource, path: str) -> Any:
    """The value at a dotted path, or None where a part of the way is missing."""
    value: Any = resource
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def text(path: str) -> Callable[[Resource], str]:
    """A reader of the value at `path`."""
    return lambda resource: plain(at(resource, path))


def newest_last(events: Iterable[Resource]) -> list[Resource]:
    """The events in the order in which they were seen last."""
    return sorted(events, key=lambda one: str(at(one, "spec.lastTime") or ""))


def plain(value: object) -> str:
    """A value in a table."""
    if value is None or value in ("", [], {}):
        return NONE
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={plain(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ",".join(plain(part) for part in value)
    return str(value)


def condition(resource: Resource, kind: str) -> Mapping[str, Any]:
    """The condition of this type, empty where there is none."""
    conditions: list[Mapping[str, Any]] = at(resource, "status.conditions") or []
    return next((one for one in conditions if one.get("type") == kind), {})


def is_condition(kind: str) -> Callable[[Resource], str]:
    """A reader of a condition's status."""
    return lambda resource: plain(condition(resource, kind).get("status"))


def wave(deployment: Resource) -> str | None:
    """The name of the wave that a rollout is in, or None where it is in none."""
    waves: list[Mapping[str, Any]] = at(deployment, "status.waves") or []
    number = at(deployment, "status.wave")
    if isinstance(number, int) and 0 <= number < len(waves):
        return str(waves[number].get("name"))
    return None


def moment(value: object) -> dt.datetime | None:
    """A time of the API, or None."""
    if not isinstance(value, str):
        return None
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        return None


def age(value: object) -> str:
    """How long ago a time was, in one unit: 90 s ago is `1m`."""
    then = moment(value)
    if then is None:
        return NONE
    seconds = max(0, int((dt.datetime.now(dt.UTC) - then).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def age_of(path: str) -> Callable[[Resource], str]:
    """A reader of how long ago the time at `path` was."""
    return lambda resource: age(at(resource, path))


def size(value: object) -> str:
    """Bytes for people."""
    return units.format_size(value) if isinstance(value, int) else plain(value)


def milliseconds(value: object) -> str:
    """A latency for people: 1.234 ms is `1.23ms`."""
    return f"{value:.3g}ms" if isinstance(value, int | float) else plain(value)


def score(value: object) -> str:
    """A score with four digits behind the point."""
    return f"{value:.4f}" if isinstance(value, int | float) else plain(value)


def labels(value: object) -> str:
    """Labels as selectors write them."""
    return plain(value) if isinstance(value, Mapping) else NONE


def short_digest(value: object) -> str:
    """Twelve digits of a digest."""
    return str(value).removeprefix("sha256:")[:12] if value else NONE


def selector(value: object) -> str:
    """A selector on one line; `everything` where it has no condition."""
    if not isinstance(value, Mapping):
        return NONE
    parts = [f"{key}={word}" for key, word in (value.get("matchLabels") or {}).items()]
    for one in value.get("matchExpressions") or []:
        words = ",".join(one.get("values") or [])
        parts.append(f"{one.get('key')} {one.get('operator')} {words}".strip())
    return ", ".join(parts) or "everything"
