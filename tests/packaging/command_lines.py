"""Command lines in files for people and machines, held against the programs' real options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import typer.main

from shoal.cli import invocation, verbs

PROGRAMS = ("shoal", "shoal-agent", "shoal-compress")
_VARIABLE = re.compile(r"\$\{(\w+)(:-[^}]*)?\}|\$\((.*?)\)|\$(\w+)")
_BLOCK = re.compile(r"```(?:sh|bash|console|shell)?\n(.*?)```", re.DOTALL)
_ENDS = {"|", "&&", "||", ";", ">", ">>", "2>", "&", "#"}


def check(words: list[str]) -> None:
    """Parses a command line without running it.

    Raises:
        Exception: the program would refuse the line (typer's or our own usage error).
    """
    program, arguments = Path(words[0]).name, words[1:]
    if program == "shoal":
        asked = invocation.parse(arguments, verbs.FOREIGN)
        if asked.rest and "--help" not in asked.rest:
            _parse(verbs.Verbs(name="shoal"), list(asked.rest))
    elif program == "shoal-agent":
        from shoal.agent import cli as agent

        _parse(typer.main.get_command(agent.app), arguments)
    else:
        from shoal.compressor import cli as compressor

        _parse(typer.main.get_command(compressor.application), arguments)


def _parse(command: Any, arguments: list[str]) -> None:
    """Descends through groups to the command that the line names and parses its options."""
    if "--help" in arguments:
        arguments = [one for one in arguments if one != "--help"]
        if not arguments:
            return
    while hasattr(command, "resolve_command"):
        context = typer.Context(command)
        _name, command, arguments = command.resolve_command(context, arguments)
        assert command is not None
    command.make_context(command.name, list(arguments))


def of_text(text: str) -> Iterator[list[str]]:
    """The command lines of our programs in shell text, prompts and variables allowed."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        for part in [line, *(found[2] for found in _VARIABLE.findall(line) if found[2])]:
            words = _words(_VARIABLE.sub(lambda found: found[0] and "value", part))
            if words:
                yield words


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line.strip().removeprefix("$ "), comments=True)
    except ValueError:
        return []
    while words and "=" in words[0] and not words[0].startswith("-"):
        words.pop(0)
    if not words or Path(words[0]).name not in PROGRAMS:
        return []
    end = next((i for i, word in enumerate(words) if word in _ENDS), len(words))
    return words[:end]


def of_markdown(text: str) -> Iterator[list[str]]:
    """The command lines in the code blocks of a page that a person would type.

    In a block with prompts, what has none is output.
    """
    for block in _BLOCK.findall(text):
        lines = block.replace("\\\n", " ").splitlines()
        typed = [line for line in lines if line.startswith("$ ")]
        yield from of_text("\n".join(typed or lines))
