"""Leaves out the features that count least, and fits the pipeline again on the others."""

import warnings
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from shoal.compressor.passes.estimators import folding, importance, tabular
from shoal.compressor.passes.estimators.tabular import Answers, Table
from shoal.compressor.passes.protocol import IN_TITLE, PassContext, PassError, PassResult
from shoal.compressor.rejections import Rejection
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.contract.problem import InvalidError

Array = npt.NDArray[Any]
Places = npt.NDArray[np.int64]

_SHOWN: Final = 64
_PICKED: Final = "selected_columns"
_PLACES: Final = "kept_columns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """Keep the fewest features that have the share `keep` of the importance; fit on them again.

    Importance is of coefficients, impurity, gain or shuffling (see `importance`). The pipeline of
    the source is fitted with its own settings on the training rows; without labels, on the source's
    own answers. The graph keeps its inputs and outputs: columns that do not count are simply not
    read. A scaler before a linear model becomes part of it.

    Notes: importance per feature, threshold, weights removed, score before (the source, the removed
    features at their mean) and after fitting again, on rows set aside from the fit that is scored;
    the graph itself is fitted on all rows.
    """

    method: Literal["select"] = field(default="select", init=False)
    keep: float = field(default=0.95, metadata=IN_TITLE)

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The pipeline of the source, fitted on fewer features.

        Raises:
            PassError: the source is no scikit-learn estimator, no feature can go, or fitting fails.
        """
        del model  # what is fitted again is the source itself
        table = tabular.read(context.source, context)
        source = tabular.ask(context.source, table.rows)
        labels = source.truth if table.labels is None else table.labels
        table = Table(name=table.name, rows=table.rows, labels=np.asarray(labels))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # fits that stop early say so through their score
                return self._selected(table, context)
        except PassError:
            raise
        except InvalidError as error:
            raise PassError(Rejection.BUILD_FAILED, error.problem.message) from error
        except Exception as error:
            what = (str(error).splitlines() or [type(error).__name__])[0][:300]
            raise PassError(Rejection.BUILD_FAILED, f"it cannot be fitted again: {what}") from error

    def _selected(self, table: Table, context: PassContext) -> PassResult:
        from shoal.compressor.sources.estimators import writing  # noqa: PLC0415 - scikit-learn

        fitted = _estimator(context.origin)
        held, fit = tabular.divide(table, context.seed)
        found = importance.of(fitted, table.rows, context.seed)
        kept = importance.kept(found, self.keep)
        if len(kept) == table.rows.shape[1]:
            raise PassError(Rejection.BUILD_FAILED, f"all {len(kept)} features count")
        trial = _widened(writing.write(_refit(fitted, fit, kept, context.seed)), context, kept)
        whole = writing.write(_refit(fitted, table, kept, context.seed))
        result = _widened(whole, context, kept)
        source = tabular.ask(context.source, held.rows)
        labelled = None if context.train is None else held.labels
        figures = {
            "source": source,
            "before_retraining": tabular.ask(context.source, _flattened(held, table, kept)),
            "after_retraining": tabular.ask(trial, held.rows),
        }
        return PassResult(
            model=result,
            notes={
                **_report(found, kept),
                "weights_removed": _numbers(context.source) - _numbers(result),
                "validation": _scores(figures, labelled, source, len(held.rows)),
            },
        )


def _estimator(origin: Origin | None) -> Any:
    """The source itself, read as it was when it was converted.

    A pickle is not read again: it may run its code in the sandboxed child alone, not here.
    """
    if origin is None or origin.format is not OriginFormat.SKOPS:
        raise PassError(
            Rejection.UNSUPPORTED_OPERATOR, "the source is no scikit-learn estimator in a .skops"
        )
    from shoal.compressor.sources.estimators import positions, reading  # noqa: PLC0415

    return positions.by_position(reading.read(origin))


def _labels(table: Table) -> Array:
    if table.labels is None:
        raise RuntimeError("rows without labels")
    return table.labels


def _refit(fitted: Any, table: Table, kept: Places, seed: int) -> Any:
    """A clone with its own settings, fitted on the kept columns; what is random gets the seed."""
    from sklearn.base import clone  # noqa: PLC0415

    fresh = clone(fitted)
    settings = fresh.get_params(deep=True)
    fresh.set_params(
        **{name: seed for name in settings if name.split("__")[-1] == "random_state"},
        **{name: 1 for name in settings if name.split("__")[-1] == "n_jobs"},
    )
    return fresh.fit(table.rows[:, kept], _labels(table))


def _widened(narrow: onnx.ModelProto, context: PassContext, kept: Places) -> onnx.ModelProto:
    """The graph of fewer columns behind one that picks them from the source's input.

    Raises:
        PassError: the fit answers in another shape than the source, as where a class has no row.
    """
    model = onnx.ModelProto()
    model.CopyFrom(narrow)
    graph = model.graph
    theirs = [(one.name, _sizes(one)) for one in context.source.graph.output]
    ours = [(one.name, _sizes(one)) for one in graph.output]
    if ours != theirs:
        raise PassError(
            Rejection.BUILD_FAILED, f"fitted again it answers {ours} where the source does {theirs}"
        )
    name = graph.input[0].name
    for node in graph.node:
        node.input[:] = [_PICKED if one == name else one for one in node.input]
    graph.initializer.append(numpy_helper.from_array(kept.astype(np.int64), _PLACES))
    graph.node.insert(0, helper.make_node("Gather", [name, _PLACES], [_PICKED], axis=1))
    graph.input[0].CopyFrom(context.source.graph.input[0])
    folding.fold(model, _PICKED)
    return model


def _sizes(value: onnx.ValueInfoProto) -> list[int]:
    return [one.dim_value for one in value.type.tensor_type.shape.dim[1:]]


def _flattened(held: Table, table: Table, kept: Places) -> Array:
    """Rows whose other columns hold nothing but their mean."""
    rows = np.broadcast_to(table.rows.mean(axis=0), held.rows.shape).astype(np.float32)
    rows[:, kept] = held.rows[:, kept]
    return np.ascontiguousarray(rows)


def _numbers(model: onnx.ModelProto) -> int:
    """Stored numbers of a graph: weights, and what tree ensembles hold in attributes."""
    stored = sum(int(np.prod(one.dims)) for one in model.graph.initializer if one.name != _PLACES)
    return stored + sum(
        len(attribute.floats) for node in model.graph.node for attribute in node.attribute
    )


def _report(found: importance.Importance, kept: Places) -> dict[str, Any]:
    order = np.argsort(-found.values, kind="stable")[:_SHOWN]
    chosen = set(kept.tolist())
    return {
        "importance": {
            "kind": found.kind.value,
            "features": [
                {
                    "feature": one,
                    "importance": float(f"{found.values[one]:.4g}"),
                    "kept": one in chosen,
                }
                for one in order.tolist()
            ],
        },
        "threshold": float(f"{found.values[kept].min():.4g}"),
        "features_before": len(found.values),
        "features_after": len(kept),
    }


def _scores(
    figures: dict[str, Answers], labels: Array | None, source: Answers, rows: int
) -> dict[str, Any]:
    qualities = {name: tabular.quality(one, labels, source) for name, one in figures.items()}
    values = {name: one["value"] for name, one in qualities.items()}
    return {"metric": qualities["source"]["metric"], "rows": rows, **values}
