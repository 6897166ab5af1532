"""The split pass: stages that were measured to fit, or a refusal with figures."""

from pathlib import Path

import onnx
import pytest

from shoal.compressor.analyse import baseline
from shoal.compressor.artifacts import Format
from shoal.compressor.evaluate import memory, runner
from shoal.compressor.passes.protocol import PassContext, PassError
from shoal.compressor.passes.split import Split
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from tests.unit.compressor.staging_zoo import Array, chain, feeds

WIDTH = 1024
WEIGHT = WIDTH * WIDTH * 4


def a_context(model: onnx.ModelProto, rows: dict[str, Array]) -> PassContext:
    return PassContext(calibration=rows, train=None, source=model, output="y", seed=0)


def test_stages_fit_where_the_whole_does_not(tmp_path: Path) -> None:
    model, rows = chain([WIDTH] * 5)
    feed = feeds(model, rows)[0]
    memory.store_feed(feed, tmp_path / "feed.npz")
    onnx.save(model, tmp_path / "whole.onnx")
    whole = memory.start(tmp_path / "whole.onnx", tmp_path / "feed.npz", 1).result()
    budget = baseline.session_bytes(1) + int(3.4 * WEIGHT)
    assert whole.peak_bytes > budget

    done = Split(memory_bytes=budget).apply(model, a_context(model, rows))

    path = tmp_path / "variant.stages"
    path.write_bytes(done.artifact.data)
    assert done.artifact.format is Format.STAGES
    measured = memory.start(path, tmp_path / "feed.npz", 1).result()
    assert measured.peak_bytes <= budget
    rows_of_report = done.notes["stages"]
    assert len(measured.stage_bytes) == len(rows_of_report) >= 2
    assert set(rows_of_report[0]) == {"file", "bytes", "peak_memory_bytes", "cut_bytes"}
    assert [row["cut_bytes"] for row in rows_of_report][-1] == 0
    assert max(row["peak_memory_bytes"] for row in rows_of_report) <= budget
    found = runner.open_file(path, 1).run(None, feed)
    expected = runner.open_file(tmp_path / "whole.onnx", 1).run(None, feed)
    assert found[0].tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("budget", [1_000, 12_000_000])
def test_a_budget_that_no_stage_meets_is_refused_with_figures(budget: int) -> None:
    model, rows = chain([WIDTH, WIDTH])
    with pytest.raises(PassError, match=r"no stages fit .* alone takes 8\.01 MiB beside") as caught:
        Split(memory_bytes=budget).apply(model, a_context(model, rows))
    assert caught.value.reason is Rejection.DOES_NOT_FIT


def test_a_recipe_holds_it_as_json() -> None:
    (shown,) = Recipe((Split(memory_bytes=24_000_000),)).to_json()["passes"]
    assert shown == {"method": "split", "memory_bytes": 24_000_000}
