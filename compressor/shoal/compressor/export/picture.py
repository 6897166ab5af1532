"""The Pareto pictures as SVG: latency, score and memory over bytes (logarithmic)."""

import html
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shoal.compressor.export import axes
from shoal.compressor.export.axes import Frame, Scale
from shoal.contract import units

_RADIUS: Final = 5
_LEAST_SPAN: Final = 0.02  # of scores: a hundredth of a point must not fill the picture

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A horizontal limit: the value, its class in the style sheet, what it says."""

    value: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture: what is drawn upwards and how it is read from a row of the report.

    `interval` gives a whisker where the figure has one; `of_rejected` reads it from rows of
    candidates that were refused, None where it was never measured.
    """

    title: str
    read: Callable[[Row], float]
    write: Callable[[float], str]
    lines: tuple[Line, ...] = ()
    interval: Callable[[Row], Sequence[float]] | None = None
    of_rejected: Callable[[Row], float | None] = lambda _row: None
    from_zero: bool = True


def panels(report: Row) -> tuple[Panel, ...]:
    """Latency, score and memory of a report."""
    limits = report["constraints"]
    memory = limits["memory_bytes"]
    within = () if memory is None else (Line(value=memory, kind="limit", title="memory budget"),)
    floor = Line(value=limits["min_score"], kind="limit", title="floor")
    own = Line(value=report["source"]["score"], kind="source", title="the source's score")
    return (
        Panel(
            title="latency / source",
            read=lambda row: float(row["latency_ratio"]),
            write=lambda value: f"{value:.2f}",
            lines=(Line(value=1.0, kind="source", title="as fast as the source"),),
        ),
        Panel(
            title=str(report["metric"]),
            read=lambda row: float(row["score"]),
            write=lambda value: f"{value:.3f}",
            lines=(own, floor),
            interval=lambda row: row["score_interval"],
            of_rejected=lambda row: row.get("score"),
            from_zero=False,
        ),
        Panel(
            title="peak memory",
            read=lambda row: float(max(row["peak_memory_bytes"], 0)),
            write=lambda value: units.format_size(round(value)),
            lines=within,
        ),
    )


def draw(report: Row, panel: Panel) -> str:
    """One panel as SVG; every mark carries its figures as a title."""
    rows: Sequence[Row] = report["pareto"]
    refused = [row for row in report["rejected"] if _is_drawn(row, panel)]
    if not rows:
        return ""
    budget = report["constraints"]["artifact_bytes"]
    # Of all that has a size, so that the pictures below one another share one axis.
    sizes = [float(row["bytes"]) for row in (*rows, *report["rejected"]) if row.get("bytes")]
    sizes += [float(budget)] if budget else []
    frame = Frame(
        across=Scale.over(math.log(min(sizes) * 0.8), math.log(max(sizes) * 1.25), axes.ACROSS),
        up=_upwards(rows, refused, panel),
    )
    chosen = report["chosen"]["digest"] if report["chosen"] else None
    return "".join(
        (
            axes.opening(f"{panel.title} over size"),
            *axes.drawn(frame, panel.title, panel.write),
            *(axes.level(frame, one.value, one.kind, one.title) for one in panel.lines),
            *([axes.upright(frame, math.log(budget), _budget(budget))] if budget else []),
            *(_cross(row, frame, panel) for row in refused),
            *(_whisker(row, frame, panel) for row in rows),
            *(_mark(row, frame, panel, chosen) for row in rows),
            "</svg>",
        )
    )


def _is_drawn(row: Row, panel: Panel) -> bool:
    return row.get("bytes") is not None and panel.of_rejected(row) is not None


def _upwards(rows: Sequence[Row], refused: Sequence[Row], panel: Panel) -> Scale:
    values = [panel.read(row) for row in rows] + [line.value for line in panel.lines]
    values += [end for row in rows for end in (panel.interval(row) if panel.interval else ())]
    low, high = min(values), max(values)
    # A candidate far below the floor is clipped to the lower edge: it must not flatten the rest.
    near = [value for value in _refused_values(refused, panel) if value > low - (high - low)]
    low = min([low, *near])
    if panel.from_zero:
        return Scale.over(0.0, high * 1.1, axes.UP)
    margin = max(high - low, _LEAST_SPAN) * 0.08
    return Scale.over(low - margin, high + margin, axes.UP)


def _refused_values(refused: Sequence[Row], panel: Panel) -> Iterator[float]:
    for row in refused:
        value = panel.of_rejected(row)
        if value is not None:
            yield value


def _budget(artifact_bytes: int) -> str:
    return f"artifact budget {units.format_size(artifact_bytes)}"


def _mark(row: Row, frame: Frame, panel: Panel, chosen: str | None) -> str:
    x, y = frame.at(math.log(row["bytes"]), panel.read(row))
    kind = "chosen" if row["digest"] == chosen else "source-point" if row["is_source"] else "point"
    title = html.escape(
        f"{row['recipe']['title']}: {units.format_size(row['bytes'])}, "
        f"{panel.title} {panel.write(panel.read(row))}"
    )
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}"><title>{title}</title>'
        "</circle>"
    )


def _whisker(row: Row, frame: Frame, panel: Panel) -> str:
    if panel.interval is None:
        return ""
    low, high = panel.interval(row)
    x, top = frame.at(math.log(row["bytes"]), high)
    _, bottom = frame.at(math.log(row["bytes"]), low)
    return f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'


def _cross(row: Row, frame: Frame, panel: Panel) -> str:
    value = panel.of_rejected(row)
    assert value is not None
    x, y = frame.at(math.log(row["bytes"]), value)
    title = html.escape(f"{row['recipe']['title']}: {row['reason']}, {row['detail']}")
    r = _RADIUS - 1
    return (
        f'<path class="refused" d="M{x - r:.1f} {y - r:.1f} l{2 * r} {2 * r} m0 {-2 * r} '
        f'l{-2 * r} {2 * r}"><title>{title}</title></path>'
    )


def bars(rows: Sequence[Row]) -> str:
    """Sensitivity as bars: a layer with little signal to noise is one to keep in float."""
    if not rows:
        return ""
    most = max(max(float(row["sqnr_db"]), 1.0) for row in rows)
    height = 18
    parts = [axes.opening("Layers by sensitivity to int8", height=height * len(rows) + 8)]
    for index, row in enumerate(rows):
        y, value = index * height + 4, max(float(row["sqnr_db"]), 0.0)
        width = value / most * (axes.WIDTH - 320)
        name = html.escape(str(row["title"])[-34:])
        parts.append(
            f'<text x="212" y="{y + 12}" text-anchor="end">{name}</text>'
            f'<rect class="point" x="220" y="{y + 2}" width="{max(width, 1):.1f}" height="12"/>'
            f'<text x="{226 + width:.1f}" y="{y + 12}">{row["sqnr_db"]:g} dB</text>'
        )
    return "".join((*parts, "</svg>"))
