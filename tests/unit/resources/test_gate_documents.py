"""What `shoal explain` says of a gate's limits names every metric that may ask for them."""

import re
from pathlib import Path

import pytest

from shoal.resources.gate import Gate

TABLE = (Path(__file__).parents[3] / "docs" / "gates.md").read_text()
ROWS = re.findall(r"^\| (`[a-z].*?) \| (`.*?) \|", TABLE, re.MULTILINE)
FIELDS = {"maxDrop": "max_drop", "maxRatio": "max_ratio", "max": "max", "min": "min"}


@pytest.mark.parametrize(("metrics", "limits"), ROWS)
def test_a_limit_names_the_metrics_that_the_table_of_gates_gives_it(
    metrics: str, limits: str
) -> None:
    family = re.findall(r"`([a-zA-Z]+)", metrics)[0]
    for limit in re.findall(r"`(max\w*|min)", limits):
        assert family in (Gate.model_fields[FIELDS[limit]].description or "")
