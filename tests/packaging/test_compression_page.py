"""docs/compression.md knows every option, metric, reason and number that the compressor has."""

import re
from pathlib import Path

import pytest
import typer.main

from shoal.compressor import cli
from shoal.compressor.evaluate.metrics.names import Metric
from shoal.compressor.job import Method
from shoal.compressor.passes.protocol import Effort
from shoal.compressor.rejections import Rejection
from shoal.compressor.search import plan


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "compression.md").read_text()


def cells(page: str, first: str) -> list[str]:
    """The row of a table that starts with `first`."""
    (row,) = re.findall(rf"^\| `{first}`[^|]*\|.*\|$", page, re.MULTILINE)
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_every_option_is_on_the_page(page: str) -> None:
    command = typer.main.get_command(cli.application)
    options = [option.opts[-1] for option in command.params if option.opts[0].startswith("-")]
    assert "--floor" in options
    assert not [option for option in options if option not in page and option != "--output"]


@pytest.mark.parametrize("metric", Metric)
def test_every_metric_has_its_row_and_direction(page: str, metric: Metric) -> None:
    assert cells(page, metric)[2] == ("less" if metric.smaller_is_better else "more")


@pytest.mark.parametrize("reason", Rejection)
def test_every_reason_of_a_rejection_is_explained(page: str, reason: Rejection) -> None:
    assert f"`{reason}`" in page


@pytest.mark.parametrize("effort", Effort)
def test_the_work_of_every_effort_is_told_as_it_is(page: str, effort: Effort) -> None:
    allowance = plan.ALLOWANCES[effort]
    assert cells(page, effort)[1:] == [
        f"{allowance.training_s:g}",
        f"{allowance.least_steps} to {allowance.steps:,}",
        f"1/{1 / allowance.grain:g}",
    ]


def test_every_family_of_methods_is_in_the_table(page: str) -> None:
    assert not [method for method in Method if f"\n| {method} |" not in page]
