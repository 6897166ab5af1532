"""`shoal variant compare`: two variants side by side, from the controller or from a report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from shoal.cli import facts, printing
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason

_NAMED = 8  # of the variants there are, in the answer to one that there is not
app = typer.Typer(
    name="variant",
    help="Compare variants.\n\nExample: shoal variant compare 0f3a9c 77b1de",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of both; `change` is b over a, or b - a for scores, None where one is unknown."""

    figure: str
    a: Any
    b: Any
    change: float | None


@app.callback()
def group() -> None:
    """Compare variants."""


@app.command()
def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="name or digest of a variant")],
    b: Annotated[str, typer.Argument(metavar="B", help="name or digest of another")],
    report: Annotated[
        Path | None,
        typer.Option(help="a report.json of shoal-compress: then A and B may be chosen or source"),
    ] = None,
) -> None:
    """Put two variants side by side: bytes, score, latency, memory, recipe.

    Example: shoal variant compare 0f3a9c 77b1de --report out/report.json
    """
    session: Session = context.obj
    known = _of_controller(session) if report is None else _of_report(report)
    first, second = _find(known, a), _find(known, b)
    compared = rows(first, second)
    if session.output in {Output.JSON, Output.YAML}:
        told = [{"figure": r.figure, "a": r.a, "b": r.b, "change": r.change} for r in compared]
        printing.document({"a": first, "b": second, "rows": told}, session.output)
        return
    printing.table(
        ("FIGURE", a, b, "B / A"),
        [_shown(row) for row in compared],
        wide=session.output is Output.WIDE,
    )
    if word := verdict(first, second):
        printing.line(word)


def rows(a: Figures, b: Figures) -> Sequence[Row]:
    """Every figure of both, and how it changes from `a` to `b`."""

    def row(name: str, read: Any, change: Any) -> Row:
        mine, theirs = read(a), read(b)
        known = isinstance(mine, int | float) and isinstance(theirs, int | float)
        return Row(figure=name, a=mine, b=theirs, change=change(mine, theirs) if known else None)

    def latency(quantile: str) -> Any:
        return lambda one: (one.get("latency_ms") or {}).get(quantile)

    return (
        row("bytes", lambda one: one.get("bytes"), _ratio),
        row("score", lambda one: one.get("score"), _difference),
        row("latency p50 ms", latency("p50"), _ratio),
        row("latency p95 ms", latency("p95"), _ratio),
        row("latency ratio", lambda one: one.get("latency_ratio"), _ratio),
        row("peak memory bytes", lambda one: one.get("peak_memory_bytes"), _ratio),
        row("agreement", lambda one: one.get("agreement"), _difference),
    )


def verdict(a: Figures, b: Figures) -> str | None:
    """Whether the scores differ for sure, in a sentence; None where an interval is unknown."""
    mine, theirs = a.get("score_interval"), b.get("score_interval")
    if not mine or not theirs:
        return None
    if mine[0] <= theirs[1] and theirs[0] <= mine[1]:
        return (
            f"scores: the intervals {_interval(mine)} and {_interval(theirs)} overlap, "
            "so neither is proven better"
        )
    larger = "A" if mine[0] > theirs[1] else "B"
    better = {"A": "B", "B": "A"}[larger] if a.get("smaller_is_better") else larger
    return f"scores: {better} is better, {_interval(mine)} against {_interval(theirs)}"


def _interval(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.4f} to {bounds[1]:.4f}"


def _ratio(a: float, b: float) -> float | None:
    return round(b / a, 4) if a else None


def _difference(a: float, b: float) -> float:
    return round(b - a, 6)


def _shown(row: Row) -> tuple[str, str, str, str]:
    write = {
        "bytes": facts.size,
        "peak memory bytes": facts.size,
        "score": facts.score,
        "agreement": facts.score,
    }.get(row.figure, _plain)
    if row.change is None:
        change = facts.NONE
    elif row.figure in {"score", "agreement"}:
        change = f"{row.change:+.4f}"
    else:
        change = f"x{row.change:.2f}"
    return row.figure, write(row.a), write(row.b), change


def _plain(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else facts.plain(value)


def _of_controller(session: Session) -> dict[str, Figures]:
    """Figures by the names they may be asked for: the resource's name, and its digest."""
    from shoal.client import kinds
    from shoal.client.resources import Scope

    namespace = session.invocation.one_namespace
    found: dict[str, Figures] = {}
    for one in session.client.resources.list(kinds.VARIANT, Scope(namespace=namespace)).items:
        name, status = one["metadata"]["name"], one.get("status") or {}
        figures = {"name": name, "recipe": facts.at(one, "spec.recipe.title"), **status}
        found[name] = figures
        found.setdefault(str(status.get("digest", "")).removeprefix("sha256:"), figures)
    return found


def _of_report(path: Path) -> dict[str, Figures]:
    try:
        document = json.loads(path.read_text())
        points, source = [*document["pareto"], document["chosen"]], document["source"]
    except FileNotFoundError:
        raise NotFoundError(
            Problem(
                reason=Reason.NOT_FOUND,
                message=f"there is no file {path}",
                field="--report",
                hint="shoal-compress writes report.json into its --out folder",
            )
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"{path} is not a report of shoal-compress",
                field="--report",
                hint="give the report.json that it writes into its --out folder",
            )
        ) from None
    found: dict[str, Figures] = {
        "source": {"name": "source", "recipe": "source", **source, "latency_ratio": 1.0}
    }
    for point in points:
        if point is not None:
            name = str(point["digest"]).removeprefix("sha256:")
            found[name] = _of_point(point, name) | {
                "smaller_is_better": document.get("smaller_is_better", False)
            }
    if document["chosen"] is not None:
        found["chosen"] = found[str(document["chosen"]["digest"]).removeprefix("sha256:")]
    return found


def _of_point(point: Figures, name: str) -> dict[str, Any]:
    kept = ("digest", "bytes", "score", "score_interval", "latency_ms", "latency_ratio")
    figures = {key: point[key] for key in (*kept, "peak_memory_bytes")}
    title, agreement = point["recipe"].get("title"), point["parity"]["agreement"]
    return {"name": name[:12], "recipe": title, "agreement": agreement, **figures}


def _find(known: Mapping[str, Figures], asked: str) -> Figures:
    """The variant of this name or digest; a beginning is enough where it is the only one."""
    word = asked.removeprefix("variant/").removeprefix("sha256:")
    if word in known:
        return known[word]
    begins = {one["name"]: one for name, one in known.items() if word and name.startswith(word)}
    if len(begins) == 1:
        return next(iter(begins.values()))
    what = f"{asked!r} is the beginning of several" if begins else f"there is no variant {asked!r}"
    names = list(dict.fromkeys(str(one["name"]) for one in (begins or known).values()))
    more = f" and {len(names) - _NAMED} more: shoal get variants" if len(names) > _NAMED else ""
    hint = f"known variants: {', '.join(names[:_NAMED]) or 'none'}{more}"
    raise NotFoundError(Problem(reason=Reason.NOT_FOUND, message=what, hint=hint))
