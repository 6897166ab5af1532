"""Which rows serve what: fitting, calibration, validation and evaluation never mix.

The search looks at calibration, fitting and validation rows only. Evaluation rows accept or refuse
a finished candidate, so none of them may be a calibration row. What belongs together stays
together: both rows of a pair, and the steps of a stream (a single stream is cut in two once).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from shoal.compressor import errors
from shoal.compressor.sources.rows import Indices, Marks, Rows
from shoal.contract.reason import Reason

VALIDATION_SHARE: Final = 0.25
VALIDATION_ROWS_AT_MOST: Final = 1_000
CALIBRATION_ROWS_AT_MOST: Final = 256
AGREEMENT_ROWS_AT_MOST: Final = 2_000
_FEW: Final = 20  # below this many calibration rows there is nothing to set aside
_FEW_STREAMS: Final = 4
_NAMED: Final = 5  # rows that a message lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """All rows of one run.

    `validation` scores candidates for the choice, `agreement` (validation and more of the search's
    own rows) tells how alike two models answer, `evaluation` decides the floor.
    """

    calibration: Rows
    train: Rows | None
    validation: Rows
    agreement: Rows
    evaluation: Rows
    warnings: tuple[str, ...]


def divide(calibration: Rows, train: Rows | None, evaluation: Rows, seed: int) -> Data:
    """The run's rows, split by a seeded shuffle.

    Raises:
        InvalidError: BadData, a row is in both calibration and evaluation.
    """
    warnings: list[str] = []
    evaluation_keys = {key: row for row, key in reversed(list(enumerate(evaluation.row_keys())))}
    calibration_keys = calibration.row_keys()
    _refuse_shared(calibration, evaluation, calibration_keys, evaluation_keys)
    generator = np.random.default_rng(seed)
    if train is not None and train.labels is not None:
        shared = sum(key in evaluation_keys for key in train.row_keys())
        if shared:
            warnings.append(f"{shared} rows of train are also in evaluation: scores may flatter")
        validation, fit = _split(train, generator)
        held = set(validation.row_keys())
        kept = np.array([i for i, key in enumerate(calibration_keys) if key not in held], np.intp)
        return Data(
            calibration=_some(calibration.take(kept) if len(kept) else fit, generator),
            train=fit.alone() if fit.pairs else fit,  # a pair's label is of neither of its rows
            validation=validation,
            agreement=_agreement_rows(train, validation, generator),
            evaluation=evaluation,
            warnings=tuple(warnings),
        )
    if train is not None:
        warnings.append("train has no labels 'y': it is not used, add its rows to calibration")
    validation, fit = _split(calibration, generator)
    if calibration.count < _FEW:
        warnings.append(f"only {calibration.count} calibration rows: they also serve validation")
    return Data(
        calibration=_some(fit, generator),
        train=None,
        validation=validation,
        agreement=validation,
        evaluation=evaluation,
        warnings=tuple(warnings),
    )


def _refuse_shared(
    calibration: Rows, evaluation: Rows, keys: list[bytes], evaluation_keys: dict[bytes, int]
) -> None:
    both = [row for row, key in enumerate(keys) if key in evaluation_keys]
    if not both:
        return
    first = evaluation.name_of(evaluation_keys[keys[both[0]]])
    more = f", and {len(both) - 1} more are in both" if len(both) > 1 else ""
    named = ", ".join(calibration.name_of(row).removeprefix("row ") for row in both[:_NAMED])
    raise errors.invalid(
        Reason.BAD_DATA,
        f"{calibration.name_of(both[0])} of calibration is {first} of evaluation{more}",
        field="--calibration",
        hint="calibrate on other rows than those that judge the result: drop "
        f"{'row' if len(both) == 1 else 'rows'} {named}"
        f"{', …' if len(both) > _NAMED else ''} of calibration",
    )


def _split(rows: Rows, generator: np.random.Generator) -> tuple[Rows, Rows]:
    """Validation and the rest; a quarter of the rows, at most 1,000. 400 rows: 100 and 300."""
    if rows.count < _FEW:
        return rows, rows
    wanted = min(round(rows.count * VALIDATION_SHARE), VALIDATION_ROWS_AT_MOST)
    if rows.starts is not None:
        held = _held_steps(rows.starts, wanted, generator)
    else:
        size = 2 if rows.pairs else 1
        order: Indices = generator.permutation(rows.count // size)
        held = np.zeros(rows.count, np.bool_)
        for place in range(size):
            held[order[: wanted // size] * size + place] = True
    return rows.take(np.flatnonzero(held)), rows.take(np.flatnonzero(~held))


def _held_steps(starts: Marks, wanted: int, generator: np.random.Generator) -> Marks:
    """Whole streams, shuffled, until `wanted` steps are reached; of few streams the last steps."""
    held = np.zeros(len(starts), np.bool_)
    stream = np.cumsum(starts) - 1
    streams = int(stream[-1]) + 1
    if streams < _FEW_STREAMS:
        held[-wanted:] = True
        return held
    for one in generator.permutation(streams)[: streams - 1]:
        if held.sum() >= wanted:
            break
        held |= stream == one
    return held


def _some(rows: Rows, generator: np.random.Generator) -> Rows:
    """Enough rows to calibrate on, each an ordinary one: recorded states are inputs like others."""
    rows = rows.alone()
    if rows.count <= CALIBRATION_ROWS_AT_MOST:
        return rows
    return rows.take(np.sort(generator.permutation(rows.count)[:CALIBRATION_ROWS_AT_MOST]))


def _agreement_rows(train: Rows, validation: Rows, generator: np.random.Generator) -> Rows:
    if train.starts is not None or train.pairs:
        return validation
    if train.count <= AGREEMENT_ROWS_AT_MOST:
        return train
    return train.take(np.sort(generator.permutation(train.count)[:AGREEMENT_ROWS_AT_MOST]))
