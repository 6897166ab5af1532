"""The training loop of the passes: labels where there are any, the source's answers everywhere.

Distillation after Hinton et al. 2015 (arXiv:1503.02531): cross entropy to the teacher's softened
answers, scaled by the square of the temperature; without a temperature the student matches the
answers themselves, as regressors and embeddings need it. The learning rate rises for a short while
and then falls to nothing (Smith and Topin 2018, arXiv:1708.07120): half as many steps as a cosine
from the top needs. Seeded, on a given number of threads, with
torch's deterministic algorithms: the same arguments give the same weights, bit for bit.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.utils.deterministic
from torch import Tensor
from torch.nn import functional

from shoal.compressor.network.graph import Network
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.passes.teaching import Schedule
from shoal.compressor.rejections import Rejection

_TEACHING_ROWS = 256  # rows the teacher answers at once
_RISING = 0.15  # share of the steps in which the learning rate rises
_ORDINARY = 5.0  # mean distance of a trained network's scores from their centre
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Rows to learn from: inputs by the graph's names, the teacher's answers, labels or None.

    `taught` starts with the answering value; the graph's other outputs follow. `spread` is how far
    the teacher's scores of classes are apart, in units of an ordinary network's: nets that answer
    in thousands are as sure as others that answer in ones, and no temperature would soften them.
    """

    inputs: Mapping[str, Tensor]
    taught: tuple[Tensor, ...]
    labels: Tensor | None
    spread: float = 1.0

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.taught[0])

    def take(self, rows: Tensor) -> "Lesson":
        """These rows alone."""
        return Lesson(
            inputs={name: value[rows] for name, value in self.inputs.items()},
            taught=tuple(value[rows] for value in self.taught),
            labels=None if self.labels is None else self.labels[rows],
            spread=self.spread,
        )


@contextlib.contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Torch on `threads` threads with deterministic algorithms, as it was before afterwards."""
    threads_before = torch.get_num_threads()
    strict_before = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    # Deterministic torch also fills memory that nobody reads, which costs up to a tenth of a step.
    memory: Any = torch.utils.deterministic  # its switch is a property that torch's types lack
    filled_before = memory.fill_uninitialized_memory
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        memory.fill_uninitialized_memory = filled_before
        torch.use_deterministic_algorithms(mode=strict_before)
        torch.set_num_threads(threads_before)


def teach(
    teacher: Network, output: str, inputs: Mapping[str, Tensor], labels: Tensor | None
) -> Lesson:
    """Let the teacher answer every row.

    Raises:
        PassError: BuildFailed where a label is no class of the teacher.
    """
    values = _taught_values(teacher, output)
    teacher.eval()
    answers = []
    with torch.no_grad():
        for start in range(0, len(next(iter(inputs.values()))), _TEACHING_ROWS):
            part = {name: rows[start : start + _TEACHING_ROWS] for name, rows in inputs.items()}
            answers.append(teacher.values(values, part))
    taught = tuple(torch.cat(parts) for parts in zip(*answers, strict=True))
    if labels is not None and not labels.is_floating_point() and _is_classifier(taught[0]):
        classes = taught[0].shape[1]
        if int(labels.min()) < 0 or int(labels.max()) >= classes:
            raise PassError(Rejection.BUILD_FAILED, f"a label is outside 0..{classes - 1}")
    return Lesson(inputs=inputs, taught=taught, labels=labels, spread=_spread(taught[0]))


def fine_tune(student: Network, output: str, lesson: Lesson, schedule: Schedule, seed: int) -> None:
    """Train the student in place."""
    values = _taught_values(student, output)
    generator = torch.Generator().manual_seed(seed)
    rows = min(schedule.batch_rows, lesson.count)
    # A short last batch would upset batch norm, so each epoch leaves the rows after it out.
    batches = lesson.count // rows
    optimizer = torch.optim.Adam(student.parameters(), schedule.learning_rate, fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=schedule.steps, pct_start=_RISING
    )
    student.train()
    for step in range(schedule.steps):
        if step % batches == 0:
            order = torch.randperm(lesson.count, generator=generator)
        start = step % batches * rows
        part = lesson.take(order[start : start + rows])
        loss = _loss(student.values(values, part.inputs), part, schedule)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        optimizer.step()
        cycle.step()
    student.eval()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a network does on rows it does not learn from."""

    metric: str
    value: float
    rows: int


def score(network: Network, output: str, lesson: Lesson) -> Score:
    """`top1` with class labels, `agreement` with the teacher's classes without, else `cosine`."""
    (value, *_) = _taught_values(network, output)
    with torch.no_grad():
        (answers,) = network.eval().values([value], lesson.inputs)
    taught = lesson.taught[0]
    if not _is_classifier(taught):
        mine, theirs = answers.reshape(lesson.count, -1), taught.reshape(lesson.count, -1)
        cosine = functional.cosine_similarity(mine, theirs)
        return Score(metric="cosine", value=float(cosine.mean()), rows=lesson.count)
    metric, right = "agreement", taught.argmax(dim=1)
    if lesson.labels is not None and not lesson.labels.is_floating_point():
        metric, right = "top1", lesson.labels
    hits = torch.eq(answers.argmax(dim=1), right).double().mean()
    return Score(metric=metric, value=float(hits), rows=lesson.count)


def _taught_values(network: Network, output: str) -> list[str]:
    """The answering value before its softmax, then the other outputs by name."""
    return network.taught_values(output)


def _spread(taught: Tensor) -> float:
    """Example: centred scores of 5 on average are ordinary, a spread of 1; of 2,000 it is 400."""
    if not _is_classifier(taught):
        return 1.0
    centred = taught - taught.mean(dim=1, keepdim=True)
    return max(float(centred.square().mean().sqrt()) / _ORDINARY, _LEAST_SPREAD)


def _is_classifier(taught: Tensor) -> bool:
    return taught.ndim == 2 and taught.shape[1] > 1


def _loss(answers: tuple[Tensor, ...], lesson: Lesson, schedule: Schedule) -> Tensor:
    """Labels and teacher on the answering value, the teacher alone on the other outputs."""
    answer, taught = answers[0], lesson.taught[0]
    classes = _is_classifier(taught)
    if schedule.temperature is not None and classes:
        loss = _softened(answer, taught, schedule.temperature * lesson.spread)
        loss = loss * schedule.temperature**2
    else:
        loss = _matched(answer, taught)
    labels = lesson.labels
    if labels is not None and labels.is_floating_point() and labels.numel() == answer.numel():
        label_loss = _matched(answer, labels.reshape(answer.shape))
        loss = torch.lerp(loss, label_loss, schedule.label_weight)
    elif labels is not None and not labels.is_floating_point() and classes:
        loss = torch.lerp(loss, _named(answer, lesson), schedule.label_weight)
    for mine, theirs in zip(answers[1:], lesson.taught[1:], strict=True):
        loss = loss + _matched(mine, theirs)
    return loss


def _softened(answer: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Divergence from the teacher's softened classes."""
    mine = functional.log_softmax(answer / temperature, dim=1)
    theirs = functional.log_softmax(taught / temperature, dim=1)
    return functional.kl_div(mine, theirs, reduction="batchmean", log_target=True)


def _named(answer: Tensor, lesson: Lesson) -> Tensor:
    """Cross entropy to the labels, of scores in ordinary units."""
    assert lesson.labels is not None
    return functional.cross_entropy(answer / max(lesson.spread, 1.0), lesson.labels)


def _matched(answer: Tensor, wanted: Tensor) -> Tensor:
    """Mean square error in units of what is wanted, so that one learning rate serves all scales."""
    scale = wanted.square().mean().clamp_min(math.ulp(1.0))
    return functional.mse_loss(answer, wanted) / scale
