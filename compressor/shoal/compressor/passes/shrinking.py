"""Narrow a network and teach it again: what pruning and distillation share.

Part of the rows is set aside to say what fine-tuning did; it is not learnt from, and it is not the
search's validation split, which no pass ever sees.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from shoal.compressor.network import narrowing, parity
from shoal.compressor.network.cut import Cut
from shoal.compressor.network.importance import Evidence
from shoal.compressor.passes import finetune
from shoal.compressor.passes.protocol import PassContext, PassError, PassResult, TrainRows
from shoal.compressor.passes.teaching import Schedule
from shoal.compressor.rejections import Rejection

HELD_SHARE = 0.1
HELD_ROWS_AT_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to remove and how to train what is left.

    `mixed_share` adds that many invented rows for every real one, each between two real ones; as
    nobody has labelled those, it goes with `labels=False` alone.
    """

    cut: Cut
    schedule: Schedule
    labels: bool
    mixed_share: float = 0.0


def shrink(model: onnx.ModelProto, context: PassContext, plan: Plan) -> PassResult:
    """Import, narrow, train and export, each import and export checked for parity.

    Raises:
        PassError: an operator that cannot be trained, no channel to remove, failed parity, or
            whatever else torch has against this graph.
    """
    try:
        return _shrink(model, context, plan)
    except PassError:
        raise
    except Exception as error:  # a graph from anywhere may break torch in any way
        what = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise PassError(Rejection.BUILD_FAILED, f"it cannot be trained: {what}") from error


def _shrink(model: onnx.ModelProto, context: PassContext, plan: Plan) -> PassResult:
    train = context.train
    rows = context.calibration if train is None else train.inputs
    single = {name: value for name, value in context.constants.items() if value.ndim == 0}
    fed = {**rows, **single}
    with finetune.reproducible(context.threads):
        student = parity.import_checked(model, fed)
        teacher = parity.import_checked(context.source, fed)
        labels = _labels(train) if train is not None and plan.labels else None
        lesson = finetune.teach(teacher.network, context.output, parity.tensors(rows), labels)
        held, fit = _set_aside(lesson, context.seed)
        network = student.network
        row = tuple(lesson.inputs[port.name][:1] for port in network.inputs)
        seen = Evidence(
            inputs=fit.inputs, labels=fit.labels, output=context.output, seed=context.seed
        )
        cut = narrowing.narrow(network, row, plan.cut, seen)
        before = finetune.score(network, context.output, held)
        if plan.mixed_share:
            mixed = _between(fit, round(fit.count * plan.mixed_share), context.seed)
            fit = finetune.teach(teacher.network, context.output, mixed, None)
        finetune.fine_tune(network, context.output, fit, plan.schedule, context.seed)
        after = finetune.score(network, context.output, held)
        exported = parity.export_checked(network, fed)
    notes: dict[str, Any] = {
        **asdict(cut),
        "weights_removed": cut.weights_before - cut.weights_after,
        "validation": {
            "metric": after.metric,
            "rows": after.rows,
            "before_fine_tuning": before.value,
            "after_fine_tuning": after.value,
        },
        "parity_max_abs": {"import": student.max_abs_error, "export": exported.max_abs_error},
    }
    return PassResult(model=exported.model, notes=notes)


def _labels(train: TrainRows) -> Tensor:
    labels = torch.from_numpy(np.array(train.y))
    return labels.float() if labels.is_floating_point() else labels.long()


def _set_aside(lesson: finetune.Lesson, seed: int) -> tuple[finetune.Lesson, finetune.Lesson]:
    """A tenth of the rows to score on, at most 200, and the rest to learn from."""
    order = torch.randperm(lesson.count, generator=torch.Generator().manual_seed(seed))
    held = max(1, min(round(lesson.count * HELD_SHARE), HELD_ROWS_AT_MOST))
    if lesson.count <= held:
        return lesson, lesson
    return lesson.take(order[:held]), lesson.take(order[held:])


def _between(lesson: finetune.Lesson, count: int, seed: int) -> dict[str, Tensor]:
    """The rows, and `count` more, each a weighted mean of two rows drawn at random.

    After mixup (Zhang et al. 2018, arXiv:1710.09412), but the teacher labels the mixture.
    """
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randint(lesson.count, (2, count), generator=generator)
    share = torch.rand(count, generator=generator)
    mixed = {}
    for name, rows in lesson.inputs.items():
        if rows.is_floating_point():
            weight = share.reshape(-1, *(1 for _ in rows.shape[1:])).to(rows.dtype)
            added = torch.lerp(rows[first], rows[second], weight)
        else:
            added = rows[first]
        mixed[name] = torch.cat([rows, added])
    return mixed
