"""Labels that arrive after the answer: matched to the recent predictions by request id.

Bounded by count and by rows; the oldest go first. A prediction is labelled once.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from shoal.agent.serve.errors import RequestError
from shoal.agent.serve.recorder import Recorder
from shoal.contract.limits import FEEDBACK_IDS, FEEDBACK_ROWS, LARGEST_ERROR


@dataclass(slots=True, kw_only=True)
class Prediction:
    """What one request was answered, row by row, and where its labels count.

    `values` are the numbers themselves where each row got one. `shadow` are the classes that the
    variant before gave; they come a little later, for some requests.
    """

    recorder: Recorder
    classes: Sequence[int]
    values: Sequence[float] = ()
    shadow: Sequence[int] = ()


class Feedback:
    """Recent predictions of all models, and the recorders that their labels count for."""

    def __init__(self, ids: int = FEEDBACK_IDS) -> None:
        self._ids = ids
        self._recent: OrderedDict[tuple[str, str], Prediction] = OrderedDict()

    def __len__(self) -> int:
        return len(self._recent)

    def remember(self, model: str, request: str, prediction: Prediction) -> None:
        """Keep what a request was answered; one of the same id replaces an earlier one."""
        if len(prediction.classes) > FEEDBACK_ROWS:
            return
        key = (model, request)
        self._recent.pop(key, None)
        self._recent[key] = prediction
        if len(self._recent) > self._ids:
            self._recent.popitem(last=False)

    def label(self, model: str, request: str, label: object) -> int:
        """Count a label, or one for each row of the request; how many were right.

        Whole numbers are classes. Where each row was answered with one number, all numbers are
        values too, which are compared with it; one with a fraction or a point (5.0) is no class,
        and so neither right nor wrong.

        Raises:
            RequestError: 404 for an id that is unknown, labelled or forgotten; 400 for labels that
                are not as many numbers as the request had rows.
        """
        found = self._recent.get((model, request))
        if found is None:
            raise RequestError(
                404, f"request {request!r} is unknown, labelled already or no longer remembered"
            )
        labels: list[Any] = label if isinstance(label, list) else [label]
        rows = len(found.classes)
        if len(labels) != rows:
            raise RequestError(400, f"label must be a number for each of the request's {rows} rows")
        whole = all(type(one) is int for one in labels)
        values = bool(found.values) and all(map(_is_value, labels))
        if not (whole or values):
            raise RequestError(
                400, f"label must be an integer for each of the request's {rows} rows"
            )
        if values:
            found.recorder.scored(a - b for a, b in zip(found.values, labels, strict=True))
        del self._recent[model, request]
        return _count_classes(found, labels) if whole else 0


def _is_value(label: object) -> bool:
    return type(label) in {int, float} and abs(cast("float", label)) <= LARGEST_ERROR


def _count_classes(found: Prediction, labels: Sequence[int]) -> int:
    right = [want == got for want, got in zip(labels, found.classes, strict=True)]
    found.recorder.labelled(len(labels), sum(right))
    if len(found.shadow) == len(labels):
        before = [want == got for want, got in zip(labels, found.shadow, strict=True)]
        found.recorder.paired(list(zip(right, before, strict=True)))
    return sum(right)
