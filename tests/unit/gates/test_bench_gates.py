"""The benchmark of the gates: rows that repeat, one shape, sections by name."""

import json
import sys

import pytest

from bench import gates


def test_a_row_is_the_same_whatever_runs_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    alone = list(gates.rows(["incidents"], 2))
    after = list(gates.rows(["golden", "incidents"], 2))
    assert after[-len(alone) :] == alone
    assert len({one.what for one in after}) == len(after)
    assert all(one.unit in {"share", "samples"} for one in after)
    assert len(capsys.readouterr().err.splitlines()) == len(alone) + len(after)


def test_the_result_has_the_shape_of_every_benchmark(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["gates", "-o", "json", "--runs", "2", "--only", "incidents"])
    gates.main()
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"name", "machine", "versions", "rows"}
    assert set(document["rows"][0]) == {"what", "ours", "peer", "ratio", "unit", "n"}


def test_a_section_that_is_none_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["gates", "--only", "golden,weather"])
    with pytest.raises(SystemExit):
        gates.main()
    assert "no section weather" in capsys.readouterr().err
