"""Every command line in deploy/ is one that the programs accept."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from shoal.contract.problem import InvalidError
from tests.packaging import command_lines

DEPLOY = Path(__file__).parents[2] / "deploy"


def of_units() -> Iterator[tuple[str, list[str]]]:
    for path in sorted(DEPLOY.rglob("*.service")):
        for line in re.findall(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE):
            yield path.name, next(command_lines.of_text(line))


def of_images() -> Iterator[tuple[str, list[str]]]:
    for path in sorted(DEPLOY.rglob("*.Dockerfile")):
        found = dict(re.findall(r"^(ENTRYPOINT|CMD) (\[.*\])$", path.read_text(), re.MULTILINE))
        yield path.name, [*json.loads(found["ENTRYPOINT"]), *json.loads(found["CMD"])]


def entrypoint(dockerfile: Path) -> list[str]:
    found = re.search(r"^ENTRYPOINT (\[.*\])$", dockerfile.read_text(), re.MULTILINE)
    assert found is not None
    words: list[str] = json.loads(found[1])
    return words


def of_compose() -> Iterator[tuple[str, list[str]]]:
    for path in sorted(DEPLOY.rglob("compose.yaml")):
        for name, service in yaml.safe_load(path.read_text())["services"].items():
            context = (path.parent / service["build"]["context"]).resolve()
            program = entrypoint(context / service["build"]["dockerfile"])
            yield f"{path.name}: {name}", [*program, *service["command"]]
        comments = "\n".join(
            line.removeprefix("#") for line in path.read_text().splitlines() if line[:1] == "#"
        )
        for words in command_lines.of_text(comments):
            yield f"{path.name}: comment", words


LINES = [*of_units(), *of_images(), *of_compose()]


@pytest.mark.parametrize(("where", "words"), LINES, ids=[where for where, _words in LINES])
def test_the_program_accepts_the_line(where: str, words: list[str]) -> None:
    del where
    command_lines.check(words)


def test_both_programs_are_deployed_in_every_way() -> None:
    for lines in (of_units(), of_images(), of_compose()):
        programs = {Path(words[0]).name for _where, words in lines}
        assert {"shoal", "shoal-agent"} <= programs


@pytest.mark.parametrize(
    "line",
    [
        "shoal serve --colour blue",
        "shoal-agent run --link pigeon",
        "shoal-compress model.onnx",
        "shoal gte devices",
    ],
)
def test_a_wrong_line_would_be_noticed(line: str) -> None:
    with pytest.raises((typer.TyperException, InvalidError)):
        command_lines.check(line.split())
