"""Estimators fitted on named columns, as estimators of one matrix in the same order.

A graph takes one float matrix. scikit-learn remembers column names where a table was fitted, and a
ColumnTransformer picks by them; with places instead of names the same estimator takes the matrix.
"""

import copy
from typing import Any

from shoal.compressor import errors
from shoal.compressor.sources.estimators import bounds
from shoal.contract.reason import Reason


def by_position(estimator: Any) -> Any:
    """A copy that knows its columns by place.

    Raises:
        InvalidError: a ColumnTransformer that picks columns nobody named.
    """
    placed = copy.deepcopy(estimator)
    for part in list(bounds.parts(placed)):
        if type(part).__name__ == "VotingClassifier":
            part.flatten_transform = False  # concerns `transform` alone, and stops skl2onnx
        names = bounds.own(part).get("feature_names_in_")
        if names is None:
            continue
        if type(part).__name__ == "ColumnTransformer":
            _place(part, {str(name): index for index, name in enumerate(names)})
        del part.feature_names_in_
    return placed


def _place(part: Any, places: dict[str, int]) -> None:
    def placed(columns: Any) -> Any:
        single = isinstance(columns, str)
        chosen = [columns] if single else columns
        if isinstance(chosen, slice | int) or callable(chosen):
            return columns
        try:
            found = [places[one] if isinstance(one, str) else one for one in chosen]
        except KeyError as error:
            raise errors.invalid(
                Reason.INVALID,
                f"a ColumnTransformer picks the column {error}, which it was not fitted with",
                field="MODEL",
                hint="fit the pipeline again and save it",
            ) from None
        return found[0] if single else found

    for name in ("transformers", "transformers_"):
        rows = [(step, inner, placed(columns)) for step, inner, columns in getattr(part, name)]
        setattr(part, name, rows)
    part._columns = [placed(columns) for columns in part._columns]  # noqa: SLF001
    part._transformer_to_input_indices = {  # noqa: SLF001
        step: placed(columns)
        for step, columns in part._transformer_to_input_indices.items()  # noqa: SLF001
    }
