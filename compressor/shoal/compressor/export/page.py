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
td.n, th.n { text-align: right; }
tr.chosen { font-weight: 600; }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; fill: var(--soft); }
.axis { stroke: var(--line); } .source { stroke: var(--source); stroke-dasharray: 4 4; }
.limit { stroke: var(--limit); stroke-width: 2; }
.point { fill: var(--point); } .chosen { fill: var(--chosen); }
.source-point { fill: var(--source); }
"""


def page(report: Mapping[str, Any]) -> str:
    """The whole document."""
    chosen = report["chosen"]
    digest = chosen["digest"] if chosen else None
    limit = report["constraints"]["artifact_bytes"]
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Shoal: variants</title><style>{_STYLE}</style></head><body>",
            "<h1>Variants</h1>",
            f"<p>{html.escape(_summary(report))}</p>",
            *(f'<p class="soft">{html.escape(text)}</p>' for text in report["warnings"]),
            "<h2>Size and latency</h2>",
            picture.pareto(report["pareto"], digest, limit),
            "<h2>Pareto front</h2>",
            _front(report["pareto"], digest),
            "<h2>Layers by sensitivity to int8</h2>",
            _table(
                ("layer", "operator", "weights", "signal to noise, dB"),
                (
                    (r["name"], r["operator"], r["weights"], r["sqnr_db"])
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


def _front(rows: Sequence[Mapping[str, Any]], chosen: str | None) -> str:
    heads = ("recipe", "size", "score", "interval", "p95 ms", "latency", "memory", "agreement")
    body = []
    for row in rows:
        low, high = row["score_interval"]
        cells = (
            row["recipe"]["title"],
            units.format_size(row["bytes"]),
            f"{row['score']:.4f}",
            f"{low:.4f} to {high:.4f}",
            f"{row['latency_ms']['p95']:.3f}",
            f"x{row['latency_ratio']:.2f}",
            units.format_size(max(row["peak_memory_bytes"], 0)),
            f"{row['parity']['agreement']:.4f}",
        )
        mark = ' class="chosen"' if row["digest"] == chosen else ""
        body.append(f'<tr{mark} title="{row["digest"]}">{_cells(cells)}</tr>')
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(body)}</table></div>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    if not body:
        return '<p class="soft">none</p>'
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _cells(values: Iterable[object]) -> str:
    return "".join(f"<td>{html.escape(str(value))}</td>" for value in values)


def _environment(report: Mapping[str, Any]) -> Iterable[Sequence[object]]:
    environment = report["environment"]
    yield "processor", environment["cpu"]
    yield "features", ", ".join(environment["isa"])
    yield "threads", environment["threads"]
    yield "seed", environment["seed"]
    yield "seconds", environment["seconds"]
    yield "source", report["source"]["digest"]
    yield from environment["versions"].items()
