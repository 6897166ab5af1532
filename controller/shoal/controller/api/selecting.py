"""Label selectors of queries: `k=v,k!=v,k in (a,b),k notin (a,b),k,!k`, all of which must hold."""

import re
from collections.abc import Mapping
from typing import Any

from shoal.controller.api.bodies import invalid
from shoal.controller.reconcile import selection

_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_VALUE = r"[-A-Za-z0-9_.]*"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s+\(([^()]*)\)")
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_PRESENT = re.compile(rf"(!?)\s*({_KEY})")
_TERM = re.compile(r"(?:[^,()]|\([^()]*\))+")


def parse(text: str) -> dict[str, Any]:
    """The selector in `text`, in the form that manifests have.

    Raises:
        InvalidError: a term that is none of the forms above.
    """
    terms = _TERM.findall(text)
    if ",".join(terms) != text:
        raise _refuse(text)
    return {"matchExpressions": [_term(term.strip()) for term in terms]}


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether `labels` satisfy the selector."""
    return selection.matches(selector, labels)


def _term(term: str) -> dict[str, Any]:
    if found := _SET.fullmatch(term):
        values = [value.strip() for value in found[3].split(",")]
        return _expression(found[1], "In" if found[2] == "in" else "NotIn", values)
    if found := _EQUAL.fullmatch(term):
        return _expression(found[1], "NotIn" if found[2] == "!=" else "In", [found[3]])
    if found := _PRESENT.fullmatch(term):
        return _expression(found[2], "DoesNotExist" if found[1] else "Exists", [])
    raise _refuse(term)


def _expression(key: str, operator: str, values: list[str]) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": values}


def _refuse(text: str) -> Exception:
    return invalid(
        "labelSelector",
        f"{text!r} is not a label selector: write k=v, k!=v, k in (a,b), k notin (a,b), k or !k",
    )
