"""`shoal infer`: ask the model that a device serves, row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli import facts, printing
from shoal.cli.facts import Resource
from shoal.cli.invocation import Output
from shoal.cli.session import ANSWER_S, Session
from shoal.contract.problem import FailedError, InvalidError, Problem
from shoal.contract.reason import Reason

if TYPE_CHECKING:
    from shoal.client.npz import Tensor
    from shoal.client.serving import Answer

_LABELS = "y"
_ONLY = "x"
_SHOWN = 6
Inputs = Mapping[str, tuple[str, tuple[int, ...]]]


def command(
    context: typer.Context,
    device: Annotated[str, typer.Argument(metavar="DEVICE")],
    source: Annotated[Path, typer.Option("--input", help=".npz with one array per input")],
    model: Annotated[str | None, typer.Option(help="where the device serves several")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="the first so many rows only")] = None,
    url: Annotated[str | None, typer.Option(help="instead of the address it reports")] = None,
) -> None:
    """Ask the model that a device serves; one request for each row of the arrays.

    Arrays are named like the model's inputs; the array of a single input may be called x. Labels in
    an array y are put beside the answers.

    Example: shoal infer cam-1 --input evaluation.npz --rows 5
    """
    from shoal.client import kinds, npz
    from shoal.client.serving import Serving

    session: Session = context.obj
    found = npz.read(source)
    name = device.rpartition("/")[2]
    namespace = session.invocation.one_namespace
    resource = session.client.resources.get(kinds.DEVICE, namespace, name)
    asked = _model(resource, model)
    address = url or _address(resource)
    with Serving(address, timeout_s=session.invocation.timeout_s or ANSWER_S) as serving:
        feeds = _feeds(found, serving.inputs(asked))
        answers = []
        for number, feed in enumerate(feeds.rows(rows)):
            answers.append(_Row(number=number, answer=serving.infer(asked, feed)))
    labels = _labels(found, len(answers))
    _report(session, name, answers, labels)


def _labels(found: "Mapping[str, Tensor]", rows: int) -> Sequence[Any]:
    """The labels in the file where there is one for each row."""
    labels = found.get(_LABELS)
    values = labels.values() if labels is not None and len(labels.shape) == 1 else []
    return values if len(values) >= rows else []


def _model(device: Resource, wanted: str | None) -> str:
    running = [str(one.get("model")) for one in facts.at(device, "status.running") or []]
    if wanted is not None:
        return wanted
    if not running:
        raise FailedError(
            Problem(
                reason=Reason.NOT_SERVING,
                message=f"device {device['metadata']['name']} serves no model",
                hint=f"shoal describe device {device['metadata']['name']}",
            )
        )
    if len(running) > 1:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message="the device serves several models",
                field="--model",
                hint=f"one of {', '.join(running)}",
            )
        )
    return running[0]


def _address(device: Resource) -> str:
    address = facts.at(device, "status.servingUrl")
    if not address:
        raise FailedError(
            Problem(
                reason=Reason.NOT_SERVING,
                message=f"device {device['metadata']['name']} reports no address to serve at",
                hint="start its agent with --serve HOST:PORT, or give --url",
            )
        )
    return str(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Feeds:
    """What each row feeds: tensors cut by their first axis, and constants."""

    cut: "Mapping[str, tuple[Tensor, bool]]"
    constant: "Mapping[str, Tensor]"

    def rows(self, most: int | None) -> "Iterator[dict[str, Tensor]]":
        """The feeds of one row after another; the bool says that a row keeps an axis of 1."""
        from shoal.client.npz import Tensor

        counts = {tensor.shape[0] for tensor, _keeps in self.cut.values()} or {1}
        if len(counts) > 1:
            raise _wrong(f"the arrays have different numbers of rows: {sorted(counts)}")
        number = counts.pop()
        for row in range(number if most is None else min(most, number)):
            feed = dict(self.constant)
            for name, (tensor, keeps) in self.cut.items():
                one = tensor.row(row)
                shape = (1, *one.shape) if keeps else one.shape
                feed[name] = Tensor(datatype=one.datatype, shape=shape, data=one.data)
            yield feed


def _feeds(found: "Mapping[str, Tensor]", inputs: Inputs) -> _Feeds:
    """The arrays of the file as feeds of the model's inputs.

    Raises:
        InvalidError: an input is missing, or an array fits none.
    """
    arrays = {name: one for name, one in found.items() if name != _LABELS or name in inputs}
    if len(inputs) == 1 and _ONLY in arrays and _ONLY not in inputs:
        arrays[next(iter(inputs))] = arrays.pop(_ONLY)
    if arrays.keys() != inputs.keys():
        has, wants = ", ".join(sorted(arrays)) or "none", ", ".join(inputs)
        raise _wrong(f"the file has the arrays {has}; the model takes {wants}")
    cut, constant = {}, {}
    for name, (datatype, shape) in inputs.items():
        tensor = arrays[name].as_type(datatype)
        if not tensor.shape:
            constant[name] = tensor
            continue
        fits = len(shape) - len(tensor.shape)
        if fits not in {-1, 0} or (fits == 0 and shape[0] not in {1, -1}):
            raise _wrong(f"{name} has shape {list(tensor.shape)}; the model takes {list(shape)}")
        cut[name] = (tensor, fits == 0)
    return _Feeds(cut=cut, constant=constant)


def _wrong(message: str) -> InvalidError:
    hint = "rows come first: 20x1x28x28 feeds a model of [1, 1, 28, 28] twenty times"
    return InvalidError(Problem(reason=Reason.BAD_DATA, message=message, hint=hint))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One row's number and answer."""

    number: int
    answer: "Answer"


def _report(session: Session, device: str, rows: Sequence[_Row], labels: Sequence[Any]) -> None:
    if session.output in {Output.JSON, Output.YAML}:
        printing.document(_document(device, rows), session.output)
        return
    if session.output is Output.NAME:
        for row in rows:
            printing.line(_said(row.answer.document["outputs"]))
        return
    titles = ["ROW", "TOOK", *(["Y"] if labels else []), "ANSWER"]
    table = [
        [
            str(row.number),
            f"{row.answer.latency_ms:.1f}ms",
            *([facts.plain(labels[row.number])] if labels else []),
            _said(row.answer.document["outputs"]),
        ]
        for row in rows
    ]
    printing.table(titles, table, wide=session.output is Output.WIDE)


def _document(device: str, rows: Sequence[_Row]) -> dict[str, Any]:
    first = rows[0].answer.document if rows else {}
    return {
        "device": device,
        "model": first.get("model_name"),
        "version": first.get("model_version"),
        "variant": (first.get("parameters") or {}).get("variant"),
        "rows": [
            {
                "row": row.number,
                "latency_ms": round(row.answer.latency_ms, 3),
                "outputs": row.answer.document["outputs"],
            }
            for row in rows
        ],
    }


def _said(outputs: Sequence[Mapping[str, Any]]) -> str:
    """Every output by name: its numbers where they are few, else the largest and where it is."""
    return "  ".join(f"{one['name']} {_numbers(one)}" for one in outputs)


def _numbers(output: Mapping[str, Any]) -> str:
    data = output["data"]
    if len(data) <= _SHOWN:
        return ",".join(facts.plain(one) for one in data)
    best = max(range(len(data)), key=lambda place: data[place])
    return f"class {best} of {len(data)} ({facts.plain(data[best])})"
