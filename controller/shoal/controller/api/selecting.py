"""Selectors of queries: `k=v,k!=v,k in (a,b),k notin (a,b),k,!k`, all of which must hold.

A label selector speaks of labels, a field selector of paths in the resource: `spec.model=digits`,
`status.conditions[Ready].status!=True`, `metadata.labels[app]`. In brackets stands a key of a
mapping, or the `type` or `name` of an entry of a list.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.controller.api.bodies import invalid
from shoal.controller.reconcile import selection
from shoal.resources.base import Resource
from shoal.resources.fields import by_alias, document_at
from shoal.resources.words import suggestion

_TERM = re.compile(r"(?:[^,()]|\([^()]*\))+")
_STEP = re.compile(r"([A-Za-z][A-Za-z0-9_]*)((?:\[[^\[\]]+\])*)")
_BRACKET = re.compile(r"\[([^\[\]]+)\]")
_ENTRY_KEYS = ("type", "name", "deployment")  # what tells the entries of our lists apart
_ROOTS = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grammar:
    """What a key and a value look like, and what such a selector is called."""

    parameter: str
    key: str
    value: str

    def term(self, text: str) -> dict[str, Any]:
        """One condition in the form that manifests have."""
        if found := re.fullmatch(rf"({self.key})\s+(in|notin)\s+\(([^()]*)\)", text):
            values = [value.strip() for value in found[3].split(",")]
            if not all(value and re.fullmatch(self.value, value) for value in values):
                raise self.refusal(text)
            return _expression(found[1], "In" if found[2] == "in" else "NotIn", values)
        if found := re.fullmatch(rf"({self.key})\s*(==|=|!=)\s*({self.value})", text):
            return _expression(found[1], "NotIn" if found[2] == "!=" else "In", [found[3]])
        if found := re.fullmatch(rf"(!?)\s*({self.key})", text):
            return _expression(found[2], "DoesNotExist" if found[1] else "Exists", [])
        raise self.refusal(text)

    def terms(self, text: str) -> list[dict[str, Any]]:
        """Every condition in `text`."""
        found = _TERM.findall(text)
        if ",".join(found) != text:
            raise self.refusal(text)
        return [self.term(term.strip()) for term in found]

    def refusal(self, text: str) -> Exception:
        """What to raise for a text that says nothing."""
        return invalid(
            self.parameter,
            f"{text!r} is not a selector: write k=v, k!=v, k in (a,b), k notin (a,b), k or !k",
        )


_LABELS = _Grammar(
    parameter="labelSelector", key=r"[A-Za-z0-9][-A-Za-z0-9_./]*", value=r"[-A-Za-z0-9_.]*"
)
_FIELDS = _Grammar(
    parameter="fieldSelector",
    key=r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*|\[[^\[\]]+\])*",
    value=r"[^=!,()\s]*",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSelector:
    """Conditions on fields; `conditions` are (path, condition)."""

    conditions: tuple[tuple[tuple[str, ...], dict[str, Any]], ...]

    def matches(self, resource: Mapping[str, Any]) -> bool:
        """Whether every condition holds of `resource`."""
        return all(_holds(resource, path, one) for path, one in self.conditions)


def parse(text: str) -> dict[str, Any]:
    """The label selector in `text`, in the form that manifests have.

    Raises:
        InvalidError: a term that is none of the forms above.
    """
    return {"matchExpressions": _LABELS.terms(text)}


def parse_fields(text: str, kind: type[Resource]) -> FieldSelector:
    """The field selector in `text`, for resources of `kind`.

    Raises:
        InvalidError: a term that is none of the forms above, or a field that `kind` has not.
    """
    found = [(_path(one["key"], kind), one) for one in _FIELDS.terms(text)]
    return FieldSelector(conditions=tuple(found))


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether `labels` satisfy the selector."""
    return selection.matches(selector, labels)


def _expression(key: str, operator: str, values: list[str]) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": values}


def _path(key: str, kind: type[Resource]) -> tuple[str, ...]:
    """The steps of a path, checked against the schema; below a mapping any may follow."""
    names = [found[1] for found in _STEP.finditer(re.sub(r"\[[^\[\]]+\]", "", key))]
    if names[0] not in _ROOTS:
        raise invalid("fieldSelector", f"{key}: {suggestion(names[0], _ROOTS)}")
    for i in range(1, len(names)):
        parent = document_at(kind, names[:i])
        if parent is not None and names[i] not in by_alias(parent):
            above, known = ".".join(names[:i]), by_alias(parent)
            hint = suggestion(names[i], known) if known else f"{above} has none"
            raise invalid("fieldSelector", f"{key}: there is no field {names[i]}; {hint}")
    return tuple(
        step
        for found in _STEP.finditer(key)
        for step in (found[1], *(bracket[1] for bracket in _BRACKET.finditer(found[2])))
    )


def _holds(resource: Mapping[str, Any], path: Sequence[str], condition: Mapping[str, Any]) -> bool:
    found = [_text(one) for one in _values(resource, path) if one is not None]
    operator = condition["operator"]
    if operator == "Exists":
        return bool(found)
    if operator == "DoesNotExist":
        return not found
    among = any(one in condition["values"] for one in found)
    return among if operator == "In" else not among


def _values(value: Any, path: Sequence[str]) -> list[Any]:
    """What lies at `path`; several where it leads through a list."""
    if isinstance(value, list) and path:
        chosen = [one for one in value if isinstance(one, dict) and _is_entry(one, path[0])]
        if chosen:
            return [found for one in chosen for found in _values(one, path[1:])]
    if isinstance(value, list):
        return [found for one in value for found in _values(one, path)]
    if not path:
        return [value]
    if isinstance(value, dict) and path[0] in value:
        return _values(value[path[0]], path[1:])
    return []


def _is_entry(one: Mapping[str, Any], key: str) -> bool:
    return any(one.get(name) == key for name in _ENTRY_KEYS)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
