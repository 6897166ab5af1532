"""A rollout as a tree: rollout, waves, gates and devices, each with a glyph, an age and a reason.

The lines are the same on a terminal and in a pipe; only colour and redrawing differ. A glyph never
says more than the word beside it, so that nothing depends on colours or on a font.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shoal.cli import bands, evidence, facts, printing
from shoal.cli.facts import Resource

Roll = Mapping[str, Any]

_GOOD, _BAD, _MOVES, _RESTS, _WARNS, _NONE = "✓", "✗", "◐", "○", "!", "-"
_GLYPHS: Final = {
    _GOOD: {"complete", "Confirmed", "pass"},
    _BAD: {"failed", "rolled-back", "aborted", "fail", "Failed", "Refused", "TimedOut"},
    _MOVES: {"active", "Fetching", "Preflight", "Soaking"},
    _WARNS: {"held", "paused", "Unreachable", "inconclusive", "NoFeasibleVariant"},
    _NONE: {"skipped", "superseded", "Superseded"},
}
_GLYPH_OF: Final = {word: glyph for glyph, words in _GLYPHS.items() for word in words}
_COLOUR_OF: Final = {
    _GOOD: printing.GREEN,
    _BAD: printing.RED,
    _WARNS: printing.YELLOW,
}
_NAME_COLUMNS: Final = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One line with a glyph, what belongs to it in more lines, and what is below it."""

    word: str
    text: str
    more: Sequence[str] = ()
    below: "Sequence[Node]" = field(default=())


def lines(deployment: Resource, rolls: Sequence[Roll], columns: int) -> Iterator[str]:
    """The tree of a rollout, no line wider than `columns`.

    `rolls` are the waves with their devices as the API tells them; without them the tree has the
    waves alone and the devices in trouble.
    """
    status: Mapping[str, Any] = facts.at(deployment, "status") or {}
    yield printing.heading(_cut(_title(deployment, status), columns))
    if message := status.get("message"):
        yield from printing.wrapped(str(message), "  ", "  ", columns)
    below = list(_waves(status, rolls))
    for number, node in enumerate(below, 1):
        yield from _drawn(node, "", last=number == len(below), columns=columns)
    if not rolls:
        for text in evidence.blocked(status.get("blocked") or []):
            yield _cut(text, columns)


def _title(deployment: Resource, status: Mapping[str, Any]) -> str:
    counts = status.get("devices") or {}
    model = str(facts.at(deployment, "spec.model")).partition("@")[0]
    parts = [
        deployment["metadata"]["name"],
        f"revision {status['revision']}" if status.get("revision") else "no revision yet",
        f"model {model}@{status['modelRevision']}" if status.get("modelRevision") else "",
        "paused" if status.get("paused") else str(status.get("result") or ""),
        f"{counts.get('Confirmed', 0)}/{counts['selected']} confirmed"
        if "selected" in counts
        else "",
    ]
    return "  ".join(part for part in parts if part)


def _waves(status: Mapping[str, Any], rolls: Sequence[Roll]) -> Iterator[Node]:
    by_wave = {roll.get("wave"): roll for roll in rolls}
    waves: Sequence[Mapping[str, Any]] = status.get("waves") or []
    room = max((len(str(wave.get("name"))) for wave in waves), default=0)
    for number, wave in enumerate(waves):
        roll = by_wave.get(number)
        gates = list(_gates(wave.get("gates") or []))
        # Of a wave that has not begun, its number of devices says enough.
        quiet = {"Pending"} if wave.get("result") == "pending" else set()
        devices = list(_devices(roll, quiet)) if roll else []
        text = _wave_text(wave, roll, min(room, _NAME_COLUMNS))
        yield Node(word=str(wave.get("result")), text=text, below=[*gates, *devices])
    rest = by_wave.get(None)
    if rest:
        title = "in no wave" if len(rolls) > 1 else "devices"
        text = f"{title}: {_counted(rest)}"
        yield Node(word=_common(rest), text=text, below=list(_devices(rest, set())))


def _wave_text(wave: Mapping[str, Any], roll: Roll | None, room: int) -> str:
    left = _left(wave.get("soakedUntil")) if wave.get("result") == "active" else ""
    devices = _counted(roll) if roll else evidence.count(wave.get("devices"), "device")
    parts = [
        f"{wave.get('name'):<{room}}",
        f"{wave.get('result'):<8}",
        f"{facts.age(wave.get('startTime')):>4}{f', {left} left' if left else ''}",
        devices,
        f"promoted by {wave['promotedBy']}" if wave.get("promotedBy") else "",
    ]
    return "  ".join(part for part in parts if part)


def _counted(roll: Roll) -> str:
    counts = roll.get("counts") or {}
    told = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    return f"{evidence.count(roll.get('devices'), 'device')}: {told}"


def _common(roll: Roll) -> str:
    """The one outcome of all devices, or a word without a meaning of its own."""
    outcomes = list(roll.get("counts") or {})
    return outcomes[0] if len(outcomes) == 1 else "pending"


def _gates(gates: Sequence[Mapping[str, Any]]) -> Iterator[Node]:
    """What decides, and what warns; advice that says nothing bad is only counted."""
    quiet = [one for one in gates if one.get("advisory") and one.get("verdict") != "fail"]
    yield from (_gate(one) for one in gates if one not in quiet)
    if quiet:
        verdicts = Counter(str(one.get("verdict")) for one in quiet)
        told = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
        yield Node(word="", text=f"{evidence.count(len(quiet), 'advisory gate')}: {told}")


def _gate(gate: Mapping[str, Any]) -> Node:
    # Painted words would count as wider than they are; the glyph has the colour.
    text = printing.plain(f"gate {evidence.gate(gate)}")
    drawn = bands.band(gate)
    return Node(word=str(gate.get("verdict")), text=text, more=[drawn] if drawn else [])


def _devices(roll: Roll, quiet: Collection[str]) -> Iterator[Node]:
    every: Sequence[Mapping[str, Any]] = roll.get("shown") or []
    shown = [one for one in every if one.get("outcome") not in quiet]
    names = max((len(str(one.get("device"))) for one in shown), default=0)
    words = max((len(str(one.get("outcome"))) for one in shown), default=0)
    for one in shown:
        parts = [
            f"{_cut(str(one.get('device')), _NAME_COLUMNS):<{min(names, _NAME_COLUMNS)}}",
            f"{one.get('outcome'):<{words}}",
            f"{facts.age(one.get('since')):>4}",
            str(one.get("cohort") or ""),
            f"[{one['reason']}]" if one.get("reason") else "",
        ]
        text = "  ".join(part for part in parts if part)
        more = [line for line in str(one.get("message") or "").splitlines() if line.strip()]
        yield Node(word=str(one.get("outcome")), text=text, more=more)
    if rest := _unseen(roll, shown, quiet):
        yield Node(word="", text=rest)


def _unseen(roll: Roll, shown: Sequence[Mapping[str, Any]], quiet: Collection[str]) -> str:
    """`12 more: 10 Confirmed, 2 Pending`, empty where all are shown."""
    counts: Mapping[str, int] = roll.get("counts") or {}
    left = {outcome: number for outcome, number in counts.items() if outcome not in quiet}
    for one in shown:
        left[one["outcome"]] = left.get(one["outcome"], 0) - 1
    told = {outcome: number for outcome, number in left.items() if number > 0}
    if not told:
        return ""
    parts = ", ".join(f"{number} {outcome}" for outcome, number in told.items())
    return f"{sum(told.values())} more: {parts}"


def _left(until: object) -> str:
    """How long until a moment, empty when it has passed."""
    then = facts.moment(until)
    seconds = 0 if then is None else round((then - dt.datetime.now(dt.UTC)).total_seconds())
    if seconds <= 0:
        return ""
    return f"{seconds}s" if seconds < 120 else f"{round(seconds / 60)}m"


def _drawn(node: Node, indent: str, *, last: bool, columns: int) -> Iterator[str]:
    branch, bar = ("└─ ", "   ") if last else ("├─ ", "│  ")
    glyph = _GLYPH_OF.get(node.word, _RESTS) if node.word else "…"
    inside = f"{indent}{bar}"
    below = f"{inside}{'│  ' if node.below else '  '}"
    first, *rest = printing.wrapped(node.text, f"{indent}{branch}{glyph} ", below, columns)
    yield first.replace(glyph, printing.paint(glyph, _COLOUR_OF.get(glyph)), 1)
    yield from rest
    for text in node.more:
        yield from printing.wrapped(text, below, below, columns)
    for number, one in enumerate(node.below, 1):
        yield from _drawn(one, inside, last=number == len(node.below), columns=columns)


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else f"{text[: columns - 1]}…"
