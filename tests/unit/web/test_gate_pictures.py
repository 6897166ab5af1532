"""The picture of a gate's confidence sequence, as coordinates."""

from typing import Any

from shoal.controller.web.pictures import HEIGHT, WIDTH, Picture, picture

GATE: dict[str, Any] = {
    "metric": "latency.p95",
    "verdict": "pass",
    "value": 1.04,
    "interval": [0.97, 1.12],
    "limit": 1.5,
    "samples": 10_000,
    "message": "latency.p95 is between 0.97x and 1.12x (limit 1.50x)",
    "effects": [0.99, 1.02, 1.1, 9.0],
    "path": [
        {"samples": 100, "low": 0.6, "value": 1.1, "high": 1.9},
        {"samples": 1_000, "low": 0.9, "value": 1.05, "high": 1.2},
        {"samples": 10_000, "low": 0.97, "value": 1.04, "high": 1.12},
    ],
}


def drawn(**changes: Any) -> Picture:
    found = picture({**GATE, **changes})
    assert found is not None
    return found


def numbers(points: str) -> list[tuple[float, float]]:
    pairs = (one.split(",") for one in points.split())
    return [(float(x), float(y)) for x, y in pairs]


def test_looks_stand_evenly_on_a_logarithmic_axis() -> None:
    xs = [x for x, _ in numbers(drawn().line)]
    assert len(xs) == 3
    assert abs((xs[1] - xs[0]) - (xs[2] - xs[1])) < 0.2


def test_the_band_narrows_and_holds_the_value() -> None:
    found = drawn()
    band, line = numbers(found.band), numbers(found.line)
    upper, lower = band[:3], list(reversed(band[3:]))
    widths = [low[1] - up[1] for up, low in zip(upper, lower, strict=True)]
    assert widths == sorted(widths, reverse=True)
    for up, mid, low in zip(upper, line, lower, strict=True):
        assert up[1] <= mid[1] <= low[1]
    assert found.dot == line[-1]


def test_the_side_within_the_limit_is_below_a_maximum_and_above_a_minimum() -> None:
    found = drawn()
    assert found.safe == (found.limit_y, round(HEIGHT - found.limit_y, 1))
    least = drawn(bound="min")
    assert least.safe == (0.0, least.limit_y)


def test_everything_lies_inside_and_devices_far_out_are_left_out() -> None:
    found = drawn()
    for x, y in [*numbers(found.band), *numbers(found.line), (0.0, found.limit_y)]:
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    assert len(found.rug) == 3


def test_one_look_is_as_wide_as_many() -> None:
    def edges(found: Picture) -> tuple[float, float]:
        xs = [x for x, _ in numbers(found.band)]
        return min(xs), max(xs)

    assert edges(drawn(path=[])) == edges(drawn())


def test_looks_at_as_many_samples_are_one_look() -> None:
    lone = drawn(samples=900, path=[])
    rounded = {"samples": 900, "low": 0.1, "value": 0.2, "high": 0.3}
    assert drawn(samples=900, path=[rounded]) == lone


def test_without_an_interval_there_is_no_picture() -> None:
    assert picture({**GATE, "interval": None}) is None
    assert picture({**GATE, "value": None}) is None


def test_a_flat_picture_has_a_height() -> None:
    found = drawn(value=0.0, interval=[0.0, 0.0], limit=0.0, path=[], effects=[])
    assert 0 < found.limit_y < HEIGHT
