"""Label selectors: which devices something is about.

Source: Kubernetes label selectors (matchLabels, and matchExpressions with In, NotIn, Exists,
DoesNotExist).
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Operator(enum.StrEnum):
    """What a condition asks of a label."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it; NotIn is also true where the label is absent."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return self.key not in labels or labels[self.key] not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """Every condition must hold; without any, everything is picked."""

    conditions: tuple[Condition, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` satisfy every condition."""
        return all(one.holds(labels) for one in self.conditions)


def selector_from_json(selector: Mapping[str, Any] | None) -> LabelSelector:
    """The selector of a manifest; matchLabels are conditions with a single value.

    Raises:
        ValueError: an operator is unknown.
    """
    selector = selector or {}
    exact = [
        Condition(key=key, operator=Operator.IN, values=(value,))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    further = [
        Condition(
            key=one["key"],
            operator=Operator(one["operator"]),
            values=tuple(one.get("values") or ()),
        )
        for one in selector.get("matchExpressions") or ()
    ]
    return LabelSelector(conditions=(*exact, *further))
