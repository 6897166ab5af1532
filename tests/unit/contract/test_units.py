"""Durations, sizes and percents as people write them."""

import pytest

from shoal.contract import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("1.5h", 5400), ("5m", 300), ("2d", 172_800), (" 1 s ", 1)],
)
def test_durations(text: str, seconds: float) -> None:
    assert units.parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512B", 512),
        ("24KiB", 24_576),
        ("1.5MB", 1_500_000),
        ("1GiB", 1 << 30),
        ("2KB", 2000),
        ("1MiB", 1 << 20),
        ("1GB", 10**9),
        ("1.9B", 1),
        ("0.1KB", 100),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert units.parse_size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "share"), [("10%", 0.1), ("0%", 0), ("100%", 1), ("12.5%", 0.125)]
)
def test_percents(text: str, share: float) -> None:
    assert units.parse_percent(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 parsec", "30", "1S", "1e3s", "1kib"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example 30s"):
        units.parse_duration_s(text)


@pytest.mark.parametrize("text", ["", "24", "24kib", "1TB", "-1B", "24 K iB"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example 24KiB"):
        units.parse_size_bytes(text)


@pytest.mark.parametrize("text", ["", "10", "101%", "-1%", "10 percent"])
def test_what_is_no_percent_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example 10%"):
        units.parse_percent(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1500, "1.46 KiB"),
        (24_576, "24 KiB"),
        (1_047_552, "0.999 MiB"),
        (1 << 30, "1 GiB"),
        (1 << 41, "2048 GiB"),
    ],
)
def test_sizes_are_written_with_three_digits(size: int, text: str) -> None:
    assert units.format_size(size) == text
