"""A metric of the user's own: `package.module:function`, imported from the working directory.

`function(answers, labels)` gets arrays with the row axis first (of pairs: (pairs, 2, …)); labels is
None where the rows have none. It returns one number, or one for each row, whose mean is the score;
larger is better. It is the user's code on the user's machine: it runs in this process.
"""

import hashlib
import importlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from shoal.compressor import errors
from shoal.compressor.evaluate.metrics import statistics
from shoal.compressor.evaluate.metrics.measures import Against
from shoal.compressor.evaluate.metrics.statistics import Counts, Scores, Statistic
from shoal.compressor.sources.rows import Array
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

Function = Callable[[Array, Array | None], Any]

_MOST: Final = sys.float_info.max  # a bound that JSON can hold


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Own:
    """A function that scores."""

    name: str
    function: Function
    has_labels: bool
    causes: Any
    smaller_is_better: bool = False
    bounds: tuple[float, float] = (-_MOST, _MOST)

    @property
    def against(self) -> Against:
        """Labels where the rows have them."""
        return Against.LABELS if self.has_labels else Against.SOURCE

    def reference(self, source: Array, given: Array | None) -> Array:
        """The labels as they are given; an empty array stands for none."""
        del source
        return np.zeros((0,), np.int64) if given is None else given

    def statistic(self, answers: Array, reference: Array) -> Statistic:
        """What the function says of these answers.

        Raises:
            InvalidError: it raises, or returns neither a number nor one for each row.
        """
        labels = reference if self.has_labels else None
        if labels is not None and len(answers) == 2 * len(labels):
            answers = answers.reshape(len(labels), 2, *answers.shape[1:])
        found = self._call(answers, labels)
        if found.shape == (len(answers),):
            return statistics.mean(found)
        if found.shape != ():
            raise _wrong(
                f"{self.name} returned an array of shape {list(found.shape)}; "
                f"expected one number, or one for each of {len(answers)} rows",
            )
        return _Whole(own=self, answers=answers, labels=labels, value=float(found))

    def _call(self, answers: Array, labels: Array | None) -> Scores:
        try:
            found = np.asarray(self.function(answers, labels), np.float64)
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            raise _raised(self.name, error) from None
        if not np.isfinite(found).all():
            raise _wrong(f"{self.name} returned a number that is not finite")
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Whole:
    """One number for all rows: resampled by asking the function again."""

    most_resamples: ClassVar[int] = 200
    own: Own
    answers: Array
    labels: Array | None
    value: float

    @property
    def rows(self) -> int:
        """Over how many rows."""
        return len(self.answers)

    def resampled(self, counts: Counts) -> Scores:
        """The function's number on each resample; NaN where it has none for such rows."""
        values = np.full(counts.shape[1], np.nan)
        for place, one in enumerate(counts.T):
            drawn = np.repeat(np.arange(self.rows), one.astype(np.intp))
            labels = None if self.labels is None else self.labels[drawn]
            try:
                values[place] = float(self.own.function(self.answers[drawn], labels))
            except Exception:  # noqa: BLE001, S112 - a drawn set may lack what the function needs
                continue
        return values


def load(spec: str, *, has_labels: bool) -> Own:
    """The function that `spec` names.

    Raises:
        InvalidError: UnknownMetric, it cannot be imported, with the place in its file.
    """
    module_name, _, name = spec.partition(":")
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        raise _raised(f"importing {module_name}", error) from None
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)  # for what the function imports when it is called
    function = getattr(module, name, None)
    if not callable(function):
        raise errors.invalid(
            Reason.UNKNOWN_METRIC,
            f"{module.__file__ or module_name} has no function {name!r}",
            field="--metric",
            hint="define it as def function(answers, labels), returning a number",
        )
    source = Path(module.__file__).read_bytes() if module.__file__ else b""
    causes = [spec, hashlib.sha256(source).hexdigest()]
    return Own(name=spec, function=function, has_labels=has_labels, causes=causes)


def _raised(what: str, error: Exception) -> InvalidError:
    """The problem of code that raised: the innermost line outside this package is named."""
    own = str(Path(__file__))
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != own and not frame.filename.startswith("<")
    ]
    users = [one for one in frames if one.filename.startswith(str(Path.cwd()))] or frames
    location = f"{users[-1].filename}:{users[-1].lineno}" if users else None
    if isinstance(error, SyntaxError) and error.filename:
        location = f"{error.filename}:{error.lineno}"
    return InvalidError(
        Problem(
            reason=Reason.UNKNOWN_METRIC,
            message=f"{what} raised {type(error).__name__}: {error}",
            field="--metric",
            location=location,
            hint="modules are imported from the working directory; "
            "a metric is called as function(answers, labels)",
        )
    )


def _wrong(message: str) -> InvalidError:
    return errors.invalid(
        Reason.UNKNOWN_METRIC, message, field="--metric", hint="return a float or a float per row"
    )
