"""Labels held against the answers they belong to: shape, type and range, each told in full."""

from typing import Final

import numpy as np
import numpy.typing as npt

from shoal.compressor.evaluate.metrics import readings
from shoal.compressor.sources.rows import Array

IGNORED: Final = -100  # the label of padding in a sequence, as trainers of token classifiers write


class LabelsError(Exception):
    """Labels that cannot be held against the answers; `hint` is a next step."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def as_classes(answers: Array, labels: Array) -> npt.NDArray[np.int64]:
    """The labels in the shape of the answers' classes; padding in sequences stays `IGNORED`.

    Raises:
        LabelsError: not one class in range for each class that is answered.
    """
    found = readings.classes(answers)
    if labels.dtype.kind not in "iub":
        raise LabelsError(
            f"labels 'y' are {labels.dtype.name}; a metric of classes takes integers",
            "classes: y.astype(numpy.int64); measured values: --metric mse or mae",
        )
    if _bare(labels.shape) != _bare(found.shape):
        raise LabelsError(_shapes(labels, found.shape), _shape_hint(answers, labels))
    wanted = labels.reshape(found.shape).astype(np.int64)
    _check_range(answers, wanted)
    return wanted


def as_indicators(answers: Array, labels: Array) -> npt.NDArray[np.bool_]:
    """Which row is of which class, (rows, classes); one column where a row has a single score.

    Labels are one class a row, or already one 0 or 1 for every class (several may hold).

    Raises:
        LabelsError: neither, or the answers are no scores.
    """
    if readings.are_labels(answers) or answers.ndim > 2:
        raise LabelsError(
            f"auroc needs one score a class, and the answers have shape {_dims(answers.shape)} "
            f"of {answers.dtype.name}",
            "name an output of scores with --model-output",
        )
    if labels.shape == answers.shape and labels.ndim == 2 and labels.shape[1] > 1:
        if not np.isin(labels, (0, 1)).all():
            raise LabelsError(
                "labels 'y' have one number for every class, and not all are 0 or 1",
                "give one class a row, or 0 and 1 for every class",
            )
        return labels.astype(np.bool_)
    wanted = as_classes(answers, labels)
    if readings.are_single(answers):
        return wanted.astype(np.bool_)[:, None]
    return np.asarray(wanted[:, None] == np.arange(answers.shape[1]))


def as_values(answers: Array, labels: Array) -> npt.NDArray[np.float64]:
    """The labels as numbers in the shape of the answers.

    Raises:
        LabelsError: not one finite number for each one that is answered.
    """
    if labels.dtype.kind not in "iubf":
        raise LabelsError(f"labels 'y' are {labels.dtype.name}, not numbers", "give numbers")
    if _bare(labels.shape) != _bare(answers.shape):
        raise LabelsError(
            _shapes(labels, answers.shape), "give one number for each that the model answers"
        )
    values = labels.reshape(answers.shape).astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise LabelsError(
            f"labels 'y' are not finite numbers, first in row {row}", "drop such rows"
        )
    return values


def _check_range(answers: Array, wanted: npt.NDArray[np.int64]) -> None:
    counted = wanted != IGNORED if wanted.ndim > 1 else np.ones(wanted.shape, np.bool_)
    if not counted.any():
        raise LabelsError(f"labels 'y' are {IGNORED} (padding) everywhere", "label some positions")
    if readings.are_labels(answers):
        return
    count = 2 if readings.are_single(answers) else answers.shape[-1]
    outside = counted & ((wanted < 0) | (wanted >= count))
    if not outside.any():
        return
    first = tuple(np.argwhere(outside)[0])
    told = "a single score, so 0 or 1" if readings.are_single(answers) else f"{count} classes"
    least, most = int(wanted[counted].min()), int(wanted[counted].max())
    counts_from_one = least == 1 and most == count
    raise LabelsError(
        f"labels 'y' hold {int(wanted[first])} in row {int(first[0])}; the model answers with "
        f"{told}" + ("" if readings.are_single(answers) else f", 0 to {count - 1}"),
        "they seem to count from 1: give y - 1" if counts_from_one else "check how y was made",
    )


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its ones behind the row axis: (rows, 1) is as good as (rows,)."""
    return shape[:1] + tuple(size for size in shape[1:] if size != 1)


def _shapes(labels: Array, expected: tuple[int, ...]) -> str:
    return f"labels 'y' have shape {_dims(labels.shape)}; the answers take {_dims(expected)}"


def _shape_hint(answers: Array, labels: Array) -> str:
    if labels.shape == answers.shape:
        return "one-hot labels: give y.argmax(axis=-1)"
    if labels.ndim == answers.ndim - 1 and labels.shape == answers.shape[:1] + answers.shape[2:]:
        return "scores of classes must be the model's last axis: transpose its output"
    return "give one class for each that the model answers"


def _dims(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(str(size) for size in shape)}]"
