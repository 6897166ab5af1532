"""Standard streams that are closed, full, narrow or left, and files that cannot be read."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shoal

SHOAL = f"{sys.executable} -m shoal.cli.main"


def in_bash(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], capture_output=True, check=False, text=True)


@pytest.mark.parametrize("line", ["schema model -o yaml", "explain pod -o json", "--help"])
def test_a_reader_that_left_ends_the_program_without_a_word(line: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as left:
        ended = subprocess.run(
            [*SHOAL.split(), *line.split()], stdout=left, stderr=subprocess.PIPE, check=False
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("line", ["schema model -o yaml", "explain pod -o json"])
def test_a_full_disk_is_one_line_on_stderr(line: str) -> None:
    ended = in_bash(f"{SHOAL} {line} > /dev/full")
    assert ended.returncode == 1
    assert ended.stderr == "error: No space left on device [Internal]\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("explain deployment >&-", 0),
        ("explain pod -o json >&- 2>&-", 2),
        ("apply -f - <&-", 2),
    ],
)
def test_closed_streams_change_no_exit_code(line: str, code: int) -> None:
    ended = in_bash(f"{SHOAL} {line}")
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr


def test_a_glyph_that_the_encoding_lacks_is_a_question_mark() -> None:
    said = "print = __import__('shoal.cli.printing').cli.printing.line; print('\\u2713 done')"
    code = f"from shoal.cli import main; main._prepare_streams(); {said}"
    line = [sys.executable, "-c", code]
    ended = subprocess.run(
        line, env={"PYTHONIOENCODING": "ascii"}, capture_output=True, check=True, text=True
    )
    assert ended.stdout == "? done\n"


def test_an_argument_that_is_no_text_is_refused(shoal: Shoal) -> None:
    ran = shoal("get", "device", "\udcff", "-o", "json")
    assert ran.code == 2
    assert "no text in UTF-8" in ran.json["error"]["message"]


@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (errno.ENOENT, 3, "NotFound"),
        (errno.EACCES, 6, "Forbidden"),
        (errno.EIO, 1, "Internal"),
    ],
)
def test_a_file_that_cannot_be_read_says_which_and_why(
    shoal: Shoal, monkeypatch: pytest.MonkeyPatch, number: int, code: int, reason: str
) -> None:
    """Root reads everything, so the refusal of the system is played."""

    def refuse(path: Path, *_more: object, **_options: object) -> None:
        raise OSError(number, "the system says no", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    ran = shoal("apply", "-f", "fleet.yaml", "-o", "json")
    assert ran.code == code
    assert ran.json["error"] == {"reason": reason, "message": "fleet.yaml: the system says no"}


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (b"kind: \xff\n", "1:7", "byte 0xff is no UTF-8"),
        (b"kind: Model\nspec: {a: \x00}", "2:11", "YAML has no such letter"),
        (b"kind: [1\n", "2:1", "expected ',' or ']', but got '<stream end>'"),
        ("a: \N{GRINNING FACE}\nb: \N{BELL}\a".encode(), "2:5", "YAML has no such letter"),
        (b"a: 1\na: 2\n", "2:1", "the field a is given twice"),
        (b"\t- a: b", "1:1", "found character '\\t' that cannot start any token"),
    ],
)
def test_what_is_no_yaml_is_told_with_line_and_column(
    shoal: Shoal, tmp_path: Path, text: bytes, place: str, what: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(text)
    ran = shoal("apply", "-f", str(path), "-o", "json")
    assert ran.code == 2
    assert ran.json["error"]["location"] == f"{path}:{place}"
    assert ran.json["error"]["message"].endswith(what)
