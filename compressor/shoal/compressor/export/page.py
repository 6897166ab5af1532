"""report.html: the report for people, one file that fetches nothing, in light and dark."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shoal.compressor.export import picture
from shoal.contract import units

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b2330; --paper: #fbfbfd; --line: #d5d9e0;
  --soft: #667085; --point: #2f6fde; --chosen: #0f8a4b; --source: #8a63d2; --limit: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --paper: #12161d; --line: #2c3440;
  --soft: #98a2b3; --point: #6ea1ff; --chosen: #4ade80; --source: #b794f6; --limit: #fb923c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.soft, td.soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
td { font-size: .93rem; } td.n, th.n { text-align: right; white-space: nowrap; }
tr.chosen { font-weight: 600; }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; fill: var(--soft); }
.axis { stroke: var(--line); } .source { stroke: var(--source); stroke-dasharray: 4 4; }
.limit { stroke: var(--limit); stroke-width: 2; }
.point { fill: var(--point); } .chosen { fill: var(--chosen); }
.source-point { fill: var(--source); }
.whisker { stroke: var(--soft); stroke-width: 1; opacity: .6; }
.refused { stroke: var(--soft); stroke-width: 1.5; fill: none; opacity: .7; }
.legend span { margin-right: 1.2rem; white-space: nowrap; }
.legend b { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
  margin-right: .4em; background: var(--mark); }
.legend b.line { height: 2px; width: 1.2em; border-radius: 0; vertical-align: middle; }
"""

_LEGEND: Final = (
    '<p class="legend soft">'
    '<span><b style="--mark: var(--chosen)"></b>chosen</span>'
    '<span><b style="--mark: var(--source)"></b>the source, cleaned</span>'
    '<span><b style="--mark: var(--point)"></b>other variants</span>'
    '<span><b class="line" style="--mark: var(--source)"></b>the source</span>'
    '<span><b class="line" style="--mark: var(--limit)"></b>floor or budget</span>'
    "<span>&times; refused</span><span>whiskers: 95 % interval, paired with the source</span></p>"
)


class _Number(str):
    """The text of a cell that stands on the right, figure under figure."""

    __slots__ = ()


def page(report: Mapping[str, Any]) -> str:
    """The whole document."""
    chosen = report["chosen"]
    digest = chosen["digest"] if chosen else None
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Shoal: variants</title><style>{_STYLE}</style></head><body>",
            "<h1>Variants</h1>",
            f"<p>{html.escape(_summary(report))}</p>",
            f'<p class="soft">{html.escape(_limits(report))}</p>',
            *(f'<p class="soft">{html.escape(text)}</p>' for text in report["warnings"]),
            "<h2>Latency, score and memory over size</h2>",
            *(picture.draw(report, panel) for panel in picture.panels(report)),
            _LEGEND,
            "<h2>Pareto front</h2>",
            _front(report["pareto"], digest),
            "<h2>Layers by sensitivity to int8</h2>",
            picture.bars(report["sensitivity"]),
            _table(
                ("layer", "operator", _Number("weights"), _Number("signal to noise, dB")),
                (
                    (r["title"], r["operator"], _Number(f"{r['weights']:,}"), _Number(r["sqnr_db"]))
                    for r in report["sensitivity"]
                ),
            ),
            "<h2>Rejected</h2>",
            _table(
                ("recipe", "reason", "detail"),
                ((r["recipe"]["title"], r["reason"], r["detail"]) for r in report["rejected"]),
            ),
            "<h2>Where this was measured</h2>",
            _table(("", ""), _environment(report)),
            "</body></html>\n",
        )
    )


def _summary(report: Mapping[str, Any]) -> str:
    source, chosen = report["source"], report["chosen"]
    start = (
        f"Source: {units.format_size(source['bytes'])}, {report['metric']} {source['score']:.4f}, "
        f"p95 {source['latency_ms']['p95']:.3f} ms. "
    )
    if chosen is None:
        return f"{start}Nothing fits: {report['error']['message']}."
    return (
        f"{start}Chosen for {report['objective']}: {chosen['recipe']['title']}, "
        f"{units.format_size(chosen['bytes'])}, score {chosen['score']:.4f}, "
        f"latency x{chosen['latency_ratio']:.2f}."
    )


def _limits(report: Mapping[str, Any]) -> str:
    """The floor and the budget, such as "Score at least 0.9744, artifact at most 24 KiB."."""
    limits, shown = report["constraints"], []
    for name, key in (("artifact", "artifact_bytes"), ("memory", "memory_bytes")):
        if limits[key] is not None:
            shown.append(f"{name} at most {units.format_size(limits[key])}")
    if limits["latency_ms_p95"] is not None:
        shown.append(f"p95 at most {limits['latency_ms_p95']:g} ms")
    score = f"Score at least {limits['min_score']:.4f} ({report['floor']['kind']})"
    return ", ".join((score, *shown)) + "."


def _front(rows: Sequence[Mapping[str, Any]], chosen: str | None) -> str:
    numbers = ("size", "score", "interval", "p95 ms", "latency", "memory", "agreement")
    heads = ("recipe", *(_Number(name) for name in numbers))
    body = []
    for row in rows:
        low, high = row["score_interval"]
        figures = (
            units.format_size(row["bytes"]),
            f"{row['score']:.4f}",
            f"{low:.4f} to {high:.4f}",
            f"{row['latency_ms']['p95']:.3f}",
            f"x{row['latency_ratio']:.2f}",
            units.format_size(max(row["peak_memory_bytes"], 0)),
            f"{row['parity']['agreement']:.4f}",
        )
        cells = _cells((row["recipe"]["title"], *(_Number(text) for text in figures)))
        mark = ' class="chosen"' if row["digest"] == chosen else ""
        body.append(f'<tr{mark} title="{row["digest"]}">{cells}</tr>')
    return _framed(heads, "".join(body))


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    if not body:
        return '<p class="soft">none</p>'
    return _framed(heads, body)


def _framed(heads: Sequence[str], body: str) -> str:
    head = _cells(heads, "th") if any(heads) else ""
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _cells(values: Iterable[object], tag: str = "td") -> str:
    written = []
    for value in values:
        mark = ' class="n"' if isinstance(value, _Number) else ""
        written.append(f"<{tag}{mark}>{html.escape(str(value))}</{tag}>")
    return "".join(written)


def _environment(report: Mapping[str, Any]) -> Iterable[Sequence[object]]:
    environment = report["environment"]
    yield "processor", environment["cpu"]
    yield "features", ", ".join(environment["isa"])
    yield "threads", environment["threads"]
    yield "seed", environment["seed"]
    yield "seconds", environment["seconds"]
    yield "source", report["source"]["digest"]
    yield from environment["versions"].items()
