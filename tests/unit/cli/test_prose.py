"""Lines of text fit a terminal, and stay whole in a pipe."""

import io
import sys

import pytest

from shoal.cli import printing

LINE = "  because " + "the gate's confidence sequence lies beyond its limit " * 3
DIGEST = "sha256:" + "ab12" * 16


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """What a terminal of 60 columns shows of `text`."""
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "60")
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", terminal)
        printing.prose(text)
    return terminal.getvalue()


def test_a_long_line_is_wrapped_under_its_own_indent(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = drawn(monkeypatch, LINE).splitlines()
    assert first.startswith("  because the gate's")
    assert others
    assert all(one.startswith("      ") for one in others)
    assert all(len(one) <= 60 for one in (first, *others))


def test_a_digest_stays_whole_to_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DIGEST in drawn(monkeypatch, f"  digest          {DIGEST}")


def test_a_pipe_gets_the_line_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    printing.prose(LINE)
    assert capsys.readouterr().out == f"{LINE}\n"
