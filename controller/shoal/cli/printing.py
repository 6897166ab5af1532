"""Everything that reaches stdout and stderr: documents, tables, problems, colour."""

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Final

from shoal.cli.invocation import Output
from shoal.contract.problem import Problem

_COLUMNS: Final = 80
_GAP: Final = "  "
_PAINT: Final = re.compile("\x1b\\[[0-9;]*m")
_INDENTED: Final = 500
_NARROWEST: Final = 6
_NARROWEST_PICTURE: Final = 40
_NARROWEST_TEXT: Final = 20

# Colours that are told apart on light and on dark; a word beside them always says the same.
GREEN, YELLOW, RED = "32", "33", "31"
_BOLD = "1"
_COLOURS: Final = {
    GREEN: {"True", "complete", "Ready", "Confirmed", "pass", "created", "configured", "ok"},
    YELLOW: {"Unknown", "active", "held", "inconclusive", "Warning", "paused", "pending", "warn"},
    RED: {"False", "failed", "rolled-back", "aborted", "fail", "Failed", "Refused", "TimedOut"},
}
_COLOUR_OF: Final = {word: colour for colour, words in _COLOURS.items() for word in words}


def document(value: object, output: Output) -> None:
    """Prints one document as JSON or YAML."""
    if output is Output.YAML:
        import yaml

        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
        sys.stdout.write(text)
    else:
        line(json.dumps(value, indent=2 if _is_short(value) else None, ensure_ascii=False))


def _is_short(value: object) -> bool:
    """Whether people may want to read it; a long list is for programs, and quicker unindented."""
    items = value.get("items") if isinstance(value, dict) else None
    return not isinstance(items, list) or len(items) <= _INDENTED


def record(value: object) -> None:
    """Prints one line of NDJSON, at once."""
    line(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def line(text: str = "") -> None:
    """Prints one line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Says something beside the data, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def problem(wrong: Problem, *, as_json: bool, more: Sequence[Problem] = ()) -> None:
    """Prints what went wrong: the contract's document on stdout, or text on stderr."""
    if as_json:
        parts: dict[str, Any] = {"error": wrong.to_json()}
        if more:
            parts["more"] = [each.to_json() for each in more]
        record(parts)
    else:
        for each in (wrong, *more):
            note(each.to_text())


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, wide: bool = False) -> None:
    """Prints rows in columns that fit the terminal (80 where there is none); wide: untouched."""
    cells = [list(titles), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles))]
    if not wide:
        widths = fitted(widths, max(_COLUMNS, _terminal_columns()))
    drawn = [_row(row, widths, heading=number == 0) for number, row in enumerate(cells)]
    line("\n".join(drawn))  # at once: a large fleet has as many rows as devices


class Stream:
    """A table whose rows come one by one; columns grow as they must and stay in the room.

    `first` is a word that the first column will hold sooner or later.
    """

    def __init__(self, titles: Sequence[str], first: str = "") -> None:
        self._titles = titles
        self._widths = [len(title) for title in titles]
        self._widths[0] = max(self._widths[0], len(first))
        self._started = False

    def add(self, row: Sequence[str]) -> None:
        """Prints one row, the titles before the first."""
        pairs = zip(self._widths, row, strict=True)
        self._widths = [max(width, len(text)) for width, text in pairs]
        widths = fitted(self._widths, max(_COLUMNS, _terminal_columns()))
        if not self._started:
            line(_row(self._titles, widths, heading=True))
            self._started = True
        line(_row(row, widths, heading=False))


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """Column widths that fit `room` together: the widest gives way first.

    Widths 10, 60, 30 in a room of 80 (two gaps of two): 24 are too many, so the 60 becomes 36.
    """
    left = list(widths)
    excess = sum(left) + len(_GAP) * (len(left) - 1) - room
    while excess > 0 and max(left) > _NARROWEST:
        left[left.index(max(left))] -= 1
        excess -= 1
    return left


def _row(row: Sequence[str], widths: Sequence[int], *, heading: bool) -> str:
    parts = []
    for text, width in zip(row, widths, strict=True):
        cut = text if len(text) <= width else f"{text[: width - 1]}…"
        colour = _BOLD if heading else _COLOUR_OF.get(text)
        parts.append(paint(cut, colour) + " " * (width - len(cut)))
    return _GAP.join(parts).rstrip()


def paint(text: str, colour: str | None) -> str:
    """`text` in `colour` where somebody can see it and NO_COLOR does not forbid it."""
    if colour is None or not is_live() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def status(word: str) -> str:
    """A word of status in its colour."""
    return paint(word, _COLOUR_OF.get(word))


def heading(text: str) -> str:
    """A heading, bold on a terminal."""
    return paint(text, _BOLD)


def plain(text: str) -> str:
    """`text` without colours."""
    return _PAINT.sub("", text)


def wrapped(text: str, first: str, others: str, columns: int) -> list[str]:
    """`text` in lines no wider than `columns`; several spaces in it are columns and stay."""
    width = max(columns, len(others) + _NARROWEST_TEXT)
    return textwrap.wrap(
        text.rstrip(),
        width,
        initial_indent=first,
        subsequent_indent=others,
        drop_whitespace=True,
        break_long_words=True,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def prose(text: str) -> None:
    """Prints a line of text, in several where a terminal is narrower; words stay whole.

    In a pipe it stays one line, which can be searched.
    """
    columns, _rows = room()
    if not is_live() or len(plain(text)) <= columns:
        line(text)
        return
    under = " " * (len(text) - len(text.lstrip()) + 4)
    parts = textwrap.wrap(
        text,
        columns,
        subsequent_indent=under,
        break_long_words=False,
        break_on_hyphens=False,
    )
    line("\n".join(parts))


def is_live() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()


def room() -> tuple[int, int | None]:
    """Columns and rows for a text that is drawn; a pipe has 80 columns and no last row."""
    if not is_live():
        return _COLUMNS, None
    size = shutil.get_terminal_size((_COLUMNS, 24))
    return max(_NARROWEST_PICTURE, size.columns), size.lines


def _terminal_columns() -> int:
    return shutil.get_terminal_size((_COLUMNS, 24)).columns if is_live() else _COLUMNS
