"""When a rollout is decided, and how it is drawn while it is not."""

import sys
from collections.abc import Iterator
from typing import Final

from shoal.cli import evidence, facts, printing
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output

COMPLETE: Final = "complete"
_DECIDED: Final = {COMPLETE, "held", "failed", "rolled-back", "aborted", "superseded"}


def decision(deployment: Resource) -> str | None:
    """The result of the rollout, or None while it goes on or the spec is not yet observed."""
    if facts.at(deployment, "status.observedGeneration") != facts.at(
        deployment, "metadata.generation"
    ):
        return None
    result = facts.at(deployment, "status.result")
    return result if result in _DECIDED else None


def summary(deployment: Resource) -> str:
    """One line: revision, result or wave, devices, and what it waits for."""
    status = facts.at(deployment, "status") or {}
    wave = facts.wave(deployment)
    counts = status.get("devices") or {}
    parts = [
        f"revision {status['revision']}" if status.get("revision") else "no revision yet",
        "paused" if status.get("paused") else str(status.get("result") or ""),
        f"wave {wave}" if wave else "",
        f"{counts.get('Confirmed', 0)}/{counts['selected']} confirmed"
        if "selected" in counts
        else "",
        str(status.get("message") or ""),
    ]
    return f"{deployment['metadata']['name']}: {', '.join(part for part in parts if part)}"


def picture(deployment: Resource) -> Iterator[str]:
    """Several lines: the summary, every wave with its gates, devices in trouble."""
    yield summary(deployment)
    for wave in facts.at(deployment, "status.waves") or []:
        yield from evidence.wave(wave)
    yield from evidence.blocked(facts.at(deployment, "status.blocked") or [])


class Drawing:
    """Shows a rollout as it goes: a moving picture, lines where that is no terminal, or NDJSON."""

    def __init__(self, output: Output, *, watch: bool) -> None:
        self._output = output
        self._watch = watch
        self._drawn = 0
        self._said = ""

    def update(self, deployment: Resource) -> None:
        """Shows that the rollout goes on."""
        if self._output in {Output.JSON, Output.YAML}:
            if self._watch:
                self._document(deployment)
        elif self._output is not Output.NAME:
            self._text(deployment)

    def waiting(self, deployment: Resource, what: str) -> None:
        """Shows what is waited for beyond the rollout that the deployment tells of."""
        if self._output in {Output.TABLE, Output.WIDE} and what != self._said:
            self._erase()
            printing.line(f"{deployment['metadata']['name']}: {what}")
            self._said = what

    def end(self, deployment: Resource) -> None:
        """Shows how the rollout was decided."""
        if self._output in {Output.JSON, Output.YAML}:
            self._document(deployment)
        elif self._output is Output.NAME:
            printing.line(f"deployment/{deployment['metadata']['name']}")
        else:
            self._erase()
            for text in picture(deployment):
                printing.line(text)

    def _document(self, deployment: Resource) -> None:
        if self._watch and self._output is Output.JSON:
            printing.record(deployment)
        else:
            printing.document(deployment, self._output)

    def _text(self, deployment: Resource) -> None:
        if self._watch and printing.is_live():
            self._erase()
            lines = list(picture(deployment))
            for text in lines:
                printing.line(text)
            self._drawn = len(lines)
        elif (said := summary(deployment)) != self._said:
            printing.line(said)
            self._said = said

    def _erase(self) -> None:
        if self._drawn:
            sys.stdout.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0
