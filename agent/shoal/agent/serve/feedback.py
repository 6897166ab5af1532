"""Labels that arrive after the answer: matched to the recent predictions by request id.

Bounded by count and by rows; the oldest go first. A prediction is labelled once.
"""

from collections import OrderedDict
from collections.abc import Sequence

from shoal.agent.serve.errors import RequestError
from shoal.agent.serve.recorder import Recorder
from shoal.contract.limits import FEEDBACK_IDS, FEEDBACK_ROWS


class Feedback:
    """Recent predictions of all models, and the recorders that their labels count for."""

    def __init__(self, ids: int = FEEDBACK_IDS) -> None:
        self._ids = ids
        self._recent: OrderedDict[tuple[str, str], tuple[Recorder, tuple[int, ...]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._recent)

    def remember(
        self, model: str, request: str, recorder: Recorder, classes: Sequence[int]
    ) -> None:
        """Keep what a request was answered; one of the same id replaces an earlier one."""
        if len(classes) > FEEDBACK_ROWS:
            return
        key = (model, request)
        self._recent.pop(key, None)
        self._recent[key] = (recorder, tuple(classes))
        if len(self._recent) > self._ids:
            self._recent.popitem(last=False)

    def label(self, model: str, request: str, label: object) -> int:
        """Count a label, or one for each row of the request; how many were right.

        Raises:
            RequestError: 404 for an id that is unknown, labelled or forgotten; 400 for labels that
                are not as many integers as the request had rows.
        """
        found = self._recent.get((model, request))
        if found is None:
            raise RequestError(
                404, f"request {request!r} is unknown, labelled already or no longer remembered"
            )
        recorder, classes = found
        labels = label if isinstance(label, list) else [label]
        if len(labels) != len(classes) or not all(type(one) is int for one in labels):
            raise RequestError(
                400, f"label must be an integer for each of the request's {len(classes)} rows"
            )
        correct = sum(1 for want, got in zip(labels, classes, strict=True) if want == got)
        recorder.labelled(len(labels), correct)
        del self._recent[model, request]
        return correct
