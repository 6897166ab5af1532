"""The golden set and the reference answers that travel with every variant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shoal.compressor.evaluate import session
from shoal.compressor.evaluate.metrics import readings
from shoal.compressor.sources.rows import Array, Rows
from shoal.contract import digest, limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A seeded, shuffled sample of evaluation rows, and where it is written."""

    rows: Rows
    path: Path


def choose(evaluation: Rows, wanted: int, seed: int, path: Path) -> Golden:
    """`wanted` rows, or as many as there are and the limits of a golden set allow.

    A device is fed row by row and keeps no state, so a recurrent model's rows carry theirs.
    """
    row_bytes = sum(array.nbytes for array in evaluation.inputs.values()) // evaluation.count
    fitting = limits.GOLDEN_BYTES // max(row_bytes, 1)
    count = max(min(wanted, evaluation.count, limits.GOLDEN_INPUTS, fitting), 1)
    if evaluation.states:  # whole streams from their start, each row with the state it came with
        order = np.arange(count)
    else:
        order = np.random.default_rng(seed).permutation(evaluation.count)[:count]
    return Golden(rows=evaluation.alone().take(order), path=path)


def write(golden: Golden, source: Any, output: str) -> dict[str, Any]:
    """Writes the set; returns its part of the report. `source` is the source's session."""
    rows = golden.rows
    arrays: dict[str, Array] = {**rows.inputs, **rows.constants}
    if rows.labels is not None:
        arrays["y"] = rows.labels
    _save(golden.path, arrays)
    answers = _row_classes(session.answers(source, rows, output))
    return {
        **_described(golden.path, golden.path.name),
        "rows": rows.count,
        "labels": None if rows.labels is None else _labels(rows.labels),
        "source_answers": [int(one) for one in answers],
    }


def write_reference(golden: Golden, candidate: Any, output: str, path: Path) -> dict[str, Any]:
    """Writes a variant's own answers to the golden set; returns its part of the report."""
    outputs = session.answers(candidate, golden.rows, output)
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(
        path,
        {
            "answers": _row_classes(outputs).astype(np.int32),
            "outputs": outputs.astype(np.float32),
        },
    )
    return _described(path, f"{path.parent.name}/{path.name}")


def _row_classes(answers: Array) -> Array:
    """One class a row; where a row has many, the place of its greatest number."""
    found: Array = readings.classes(answers)
    if found.ndim > 1:
        found = answers.reshape(len(answers), -1).argmax(axis=1)
    return found


def _labels(labels: Array) -> list[Any] | None:
    is_class_of_row = labels.ndim == 1 and labels.dtype.kind in "iub"
    return [one.item() for one in labels] if is_class_of_row else None


def _described(path: Path, name: str) -> dict[str, Any]:
    return {"file": name, "digest": digest.of_file(path), "bytes": path.stat().st_size}


def _save(path: Path, arrays: dict[str, Array]) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
