"""When a rollout is decided, and how it is drawn while it is not."""

import contextlib
import sys
from collections.abc import Sequence
from typing import Any, Final

from shoal.cli import facts, printing, tree
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import NotFoundError, UnreachableError

COMPLETE: Final = "complete"
SEATS: Final = 20
# How many devices of each wave a moving picture tries to show, until it fits the terminal.
_MOST: Final = (SEATS, 10, 5, 3, 1, 0)
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


class Rolls:
    """The devices of a rollout as they were told last."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.known: list[dict[str, Any]] = []

    def read(self, deployment: Resource) -> None:
        """Asks anew; a controller that is away for a moment leaves what was known."""
        metadata = deployment["metadata"]
        with contextlib.suppress(UnreachableError, NotFoundError):
            self.known = self._session.client.rollouts.waves(
                metadata.get("namespace", "default"), metadata["name"], devices=SEATS
            )


class Frame:
    """A picture that is drawn over the one before it, in one write, so that it does not flicker."""

    def __init__(self) -> None:
        self._rows = 0

    def draw(self, lines: Sequence[str]) -> None:
        """Draws `lines` where the last picture stood."""
        back = f"\x1b[{self._rows}F" if self._rows else ""
        body = "".join(f"{line}\x1b[K\n" for line in lines)
        sys.stdout.write(f"{back}{body}\x1b[J")
        sys.stdout.flush()
        self._rows = len(lines)

    def erase(self) -> None:
        """Removes the picture."""
        if self._rows:
            sys.stdout.write(f"\x1b[{self._rows}F\x1b[J")
            self._rows = 0


class Drawing:
    """Shows a rollout as it goes: a moving tree, lines where that is no terminal, or NDJSON."""

    def __init__(self, output: Output, rolls: Rolls, *, watch: bool) -> None:
        self._output = output
        self._rolls = rolls
        self._watch = watch
        self._frame = Frame()
        self._said = ""
        self._seen: Resource | None = None

    @property
    def moves(self) -> bool:
        """Whether the picture is redrawn as time passes."""
        return self._watch and self._is_text and printing.is_live()

    @property
    def _is_text(self) -> bool:
        return self._output in {Output.TABLE, Output.WIDE}

    def update(self, deployment: Resource) -> None:
        """Shows that the rollout goes on."""
        self._seen = deployment
        if self._output in {Output.JSON, Output.YAML}:
            if self._watch:
                self._document(deployment)
        elif self._is_text:
            self._rolls.read(deployment)
            self._text(deployment)

    def tick(self) -> None:
        """Lets ages grow in a moving picture."""
        if self._seen is not None and self.moves:
            self._frame.draw(self._fitting(self._seen))

    def waiting(self, deployment: Resource, what: str) -> None:
        """Shows what is waited for beyond the rollout that the deployment tells of."""
        if self._is_text and what != self._said:
            self._frame.erase()
            self._seen = None
            printing.line(f"{deployment['metadata']['name']}: {what}")
            self._said = what

    def end(self, deployment: Resource) -> None:
        """Shows how the rollout was decided, with every device that is in trouble."""
        if self._output in {Output.JSON, Output.YAML}:
            self._document(deployment)
        elif self._output is Output.NAME:
            printing.line(f"deployment/{deployment['metadata']['name']}")
        else:
            self._rolls.read(deployment)
            self._frame.erase()
            for text in self._picture(deployment, SEATS):
                printing.line(text)

    def _document(self, deployment: Resource) -> None:
        if self._watch and self._output is Output.JSON:
            printing.record(deployment)
            return
        if self._watch:
            printing.line("---")
        printing.document(deployment, self._output)

    def _text(self, deployment: Resource) -> None:
        if self.moves:
            self._frame.draw(self._fitting(deployment))
        elif not self._watch:
            if (said := summary(deployment)) != self._said:
                printing.line(said)
                self._said = said
        elif (said := self._without_ages(deployment)) != self._said:
            for text in self._picture(deployment, SEATS):
                printing.line(text)
            self._said = said

    def _without_ages(self, deployment: Resource) -> str:
        """The picture but for the time, which alone is no news in a pipe."""
        status = deployment.get("status") or {}
        waves = [
            {**one, "startTime": None, "soakedUntil": None} for one in status.get("waves") or []
        ]
        rolls = [
            {**roll, "shown": [{**one, "since": None} for one in roll["shown"]]}
            for roll in self._rolls.known
        ]
        timeless = {**deployment, "status": {**status, "waves": waves}}
        return "\n".join(tree.lines(timeless, rolls, printing.room()[0]))

    def _fitting(self, deployment: Resource) -> list[str]:
        """The picture with as many devices as the terminal has room for."""
        _columns, rows = printing.room()
        lines: list[str] = []
        for most in _MOST:
            lines = self._picture(deployment, most)
            if rows is None or len(lines) < rows:
                return lines
        return [*lines[: max(1, (rows or 2) - 2)], "…"]

    def _picture(self, deployment: Resource, most: int) -> list[str]:
        columns, _rows = printing.room()
        rolls = [{**one, "shown": one["shown"][:most]} for one in self._rolls.known]
        return list(tree.lines(deployment, rolls, columns))
