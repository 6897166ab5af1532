"""From a request's body to its answer: find the slot, run it, count what happened.

A run that is likely to be short is done on the event loop itself: a hand-over to a thread costs
more than a tiny model. A longer one goes to a thread, so that the loop keeps its pulse; the choice
follows the slot's own measured cost (`INLINE_S`).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from shoal.agent.serve import answers, inference
from shoal.agent.serve.errors import RequestError
from shoal.agent.serve.feedback import Feedback, Prediction
from shoal.agent.serve.inference import Answer, Call
from shoal.agent.serve.sessions import Array, Session
from shoal.agent.serve.shadows import Shadow
from shoal.agent.serve.slots import Endpoint, Slot, Slots

INLINE_S = 0.001  # expected run time up to which the event loop runs it itself
CONFIDENCE_EVERY = 4  # requests; to take it from all would cost a tiny model a part of its speed

_log = logging.getLogger(__name__)


class Answering:
    """Runs inferences on the active slots."""

    def __init__(
        self, slots: Slots, executor: Executor, shadow: Callable[[str], Shadow | None]
    ) -> None:
        """`shadow` finds what answers some requests of a deployment too."""
        self.slots = slots
        self._shadow = shadow
        self.feedback = Feedback()
        self._executor = executor

    def find(self, model: str, version: str) -> tuple[Endpoint, Slot]:
        """The endpoint of a model and the slot that serves it.

        Raises:
            RequestError: 404 for an unknown model or version, 503 while nothing serves it yet.
        """
        endpoint = self.slots.of_model(model)
        if endpoint is None and self.slots.coming:
            raise RequestError(503, f"model {model!r} is not ready yet, if it is to be here")
        if endpoint is None:
            raise RequestError(404, f"there is no model {model!r} on this device")
        slot = endpoint.active
        if slot is None:
            raise RequestError(503, f"model {model!r} is not ready yet")
        if version and version != str(slot.spec.generation):
            raise RequestError(
                404, f"model {model!r} has version {slot.spec.generation}, not {version!r}"
            )
        return endpoint, slot

    async def infer(self, model: str, version: str, body: bytes, json_bytes: int | None) -> Answer:
        """Answer one request on the slot that is active when its body is whole.

        Raises:
            RequestError: the request does not fit the model (400), or the model failed on it (500).
        """
        started = time.perf_counter()
        _, slot = self.find(model, version)
        with slot:
            call = inference.parse(body, json_bytes, slot.session)
            # The answering output runs along even where only others are wanted: classes are
            # counted on every request.
            names = list(dict.fromkeys((*call.wanted, slot.session.answering.name)))
            outputs = dict(zip(names, await self._run(slot, call, names), strict=True))
            answer = inference.encode(call, slot, outputs)
            answered = outputs[slot.session.answering.name]
            classes = answers.classes(answered, call.rows)
        slot.recorder.succeeded(
            time.perf_counter() - started, [one for one in classes if one != answers.NO_ANSWER]
        )
        if slot.recorder.good % CONFIDENCE_EVERY == 0:
            slot.recorder.confident(answers.confidences(answered, call.rows))
        prediction = Prediction(
            recorder=slot.recorder, classes=classes, values=answers.values(answered, call.rows)
        )
        self.feedback.remember(model, call.id, prediction)
        if slot.spec.shadow_share and (shadow := self._shadow(slot.spec.deployment)):
            shadow.offer(call, prediction, slot.spec.shadow_share)
        return answer

    async def _run(self, slot: Slot, call: Call, names: Sequence[str]) -> list[Array]:
        try:
            if slot.expected_s(call.rows) <= INLINE_S:
                outputs, seconds = _timed_run(slot.session, call, names)
            else:
                outputs, seconds = await asyncio.get_running_loop().run_in_executor(
                    self._executor, _timed_run, slot.session, call, names
                )
        except InvalidArgument as error:
            raise RequestError(400, f"the model does not take these inputs: {error}") from error
        except Exception as error:
            slot.recorder.failed()
            _log.warning("%s failed on a request: %s", slot.spec.deployment, error)
            raise RequestError(500, f"the model failed: {error}") from error
        slot.observe(seconds, call.rows)
        return outputs


def _timed_run(session: Session, call: Call, names: Sequence[str]) -> tuple[list[Array], float]:
    """The outputs, and the seconds of the run alone, without the wait for a thread."""
    started = time.perf_counter()
    outputs = session.run(call.feeds, names)
    return outputs, time.perf_counter() - started
