"""The pictures of a report: every point, the choice, the refused, and the limits."""

from typing import Any

import pytest

from shoal.compressor.export import picture


def a_row(name: str, size: int, ratio: float) -> dict[str, Any]:
    return {
        "digest": name,
        "bytes": size,
        "latency_ratio": ratio,
        "score": 0.9,
        "score_interval": [0.88, 0.92],
        "peak_memory_bytes": 12 << 20,
        "is_source": False,
        "recipe": {"title": f"<{name}>"},
    }


def a_report(*rows: dict[str, Any]) -> dict[str, Any]:
    refused = {"recipe": {"title": "worse"}, "reason": "ScoreBelowFloor", "detail": "by 0.1"}
    return {
        "source": {"score": 0.92},
        "metric": "top1",
        "constraints": {"min_score": 0.89, "artifact_bytes": 2_000, "memory_bytes": 20 << 20},
        "pareto": list(rows),
        "chosen": rows[0] if rows else None,
        "rejected": [{**refused, "bytes": 800, "score": 0.85}, refused],
    }


@pytest.fixture
def report() -> dict[str, Any]:
    return a_report(a_row("a", 1_000, 0.5), a_row("b", 9_000, 1.0))


def drawn(report: dict[str, Any], title: str) -> str:
    (panel,) = (one for one in picture.panels(report) if one.title == title)
    return picture.draw(report, panel)


def test_a_panel_marks_every_point_the_choice_and_the_budget(report: dict[str, Any]) -> None:
    svg = drawn(report, "latency / source")
    assert svg.count("<circle") == 2
    assert svg.count('class="chosen"') == 1
    assert "artifact budget 1.95 KiB" in svg
    assert "&lt;a&gt;" in svg
    assert 'class="refused"' not in svg


def test_scores_show_intervals_the_floor_and_what_was_refused(report: dict[str, Any]) -> None:
    svg = drawn(report, "top1")
    assert svg.count('class="whisker"') == 2
    assert svg.count('class="refused"') == 1
    assert "ScoreBelowFloor, by 0.1" in svg
    assert "<title>floor</title>" in svg


def test_memory_shows_its_budget(report: dict[str, Any]) -> None:
    assert "memory budget" in drawn(report, "peak memory")


def test_nothing_to_draw_draws_nothing() -> None:
    empty = a_report()
    assert [picture.draw(empty, panel) for panel in picture.panels(empty)] == ["", "", ""]
    assert picture.bars([]) == ""


def test_bars_are_as_long_as_the_signal_is_clean() -> None:
    layers = [
        {"title": "conv1", "sqnr_db": 10.0},
        {"title": "<conv2>", "sqnr_db": 40.0},
    ]
    svg = picture.bars(layers)
    assert svg.count("<rect") == 2
    assert "&lt;conv2&gt;" in svg
    short, long = (float(part.split('"')[0]) for part in svg.split('width="')[1:])
    assert long == pytest.approx(4 * short, rel=0.01)
