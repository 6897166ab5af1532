"""shoal-compress: the command line (contracts: section 3).

This process opens no model and imports no numpy: it understands the line, supervises the worker
that does the job, and shows what came of it.
"""

import contextlib
import json
import os
import signal
import sys
from typing import Annotated, Any

import typer

from shoal.compressor import errors
from shoal.contract import units
from shoal.contract.problem import ExitCode, Problem, ProblemError

# typer carries its own click; this is its base of everything a wrong command line raises.
_CommandLineError: type[Exception] = typer.BadParameter.__mro__[2]

_ENDING = {signal.SIGINT, signal.SIGTERM}  # the first lets a report be written, the other not
_SEED_AT_MOST = 2**63 - 1  # torch takes no more

_MODEL = (
    "An .onnx, .pt2, .skops or .tflite file, or a loader package.module:function that returns "
    "an nn.Module and example inputs."
)
_METRICS = (
    "With labels: top1, top5, f1_macro, auroc, mse, mae, spearman. Without: agreement, cosine, "
    "sqnr (dB), max_abs. Or package.module:function. Of mse, mae and max_abs smaller is better: "
    "--max-drop is how much they may rise, --min-score the most they may be."
)
_EXAMPLE = """
Example: shoal-compress teacher.onnx --calibration calibration.npz --evaluation evaluation.npz
--train train.npz --budget artifact=64KiB,latency=5ms --effort quick --out variants
"""

_States = Annotated[
    list[str] | None,
    typer.Option(help="IN=OUT of a recurrent model: the output is fed back. Repeatable."),
]
_TrustedTypes = Annotated[
    list[str] | None,
    typer.Option(help="A type that a .skops file may hold beyond the known. Repeatable."),
]
_TrustsPickles = Annotated[
    bool,
    typer.Option("--trust-pickle", help="Read a pickle (.pkl, .joblib, .pt), in a sandbox."),
]
_MemoryLimit = Annotated[
    str | None, typer.Option(help="What the search may take [nine tenths of what is free].")
]

application = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


@application.command(
    help="Find the best form of MODEL for a device, prove it, and write the whole front to --out."
    f"\n\n{_EXAMPLE}"
)
def compress(  # noqa: PLR0917 - one parameter for each option of the contract
    model: Annotated[str, typer.Argument(help=_MODEL, metavar="MODEL")],
    calibration: Annotated[str, typer.Option(help="Rows for ranges, .npz.")],
    evaluation: Annotated[str, typer.Option(help="Rows that judge, .npz.")],
    out: Annotated[str, typer.Option(help="Folder for report.json, report.html and variants.")],
    train: Annotated[str | None, typer.Option(help="Labelled rows for fine-tuning, .npz.")] = None,
    metric: Annotated[str | None, typer.Option(help=_METRICS)] = None,
    max_drop: Annotated[
        float | None, typer.Option(help="How much worse than the source, in its unit [0.01].")
    ] = None,
    min_score: Annotated[float | None, typer.Option(help="The worst score, absolute.")] = None,
    floor: Annotated[str, typer.Option(help="measured or proven.")] = "measured",
    profile: Annotated[str | None, typer.Option(help="A DeviceProfile manifest.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="artifact=500KiB,memory=64MiB,latency=5ms")
    ] = None,
    methods: Annotated[str, typer.Option(help="Families to try.")] = "quantize,prune,distill,split",
    engines: Annotated[str | None, typer.Option(help="onnxruntime,litert [the profile's].")] = None,
    objective: Annotated[str, typer.Option(help="latency, bytes, memory or accuracy.")] = "latency",
    effort: Annotated[str, typer.Option(help="quick, balanced or thorough.")] = "balanced",
    model_output: Annotated[str | None, typer.Option(help="The output to score.")] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same bytes.", min=0, max=_SEED_AT_MOST)
    ] = 0,
    golden: Annotated[
        int | None,
        typer.Option(help="Also write golden.npz with this many evaluation rows.", min=1),
    ] = None,
    state: _States = None,
    trust_type: _TrustedTypes = None,
    trust_pickle: _TrustsPickles = False,  # noqa: FBT002 - a flag of the command line
    memory_limit: _MemoryLimit = None,
    output: Annotated[str, typer.Option("-o", "--output", help="text or json.")] = "text",
) -> None:
    """Understand the options, then hand over to the application."""
    given = dict(locals())  # each option under its own name: the fields of `options.Asked`
    del given["memory_limit"]
    if given.pop("output") not in {"text", "json"}:
        raise typer.BadParameter(f"{output!r} is not text or json", param_hint="-o")
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        _work(given, memory_limit, as_json=output == "json")
    except KeyboardInterrupt:
        raise errors.stopped() from None


def main() -> None:
    """The program's entry: one place turns every failure into its shape and exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # until there is somebody to answer it
    signal.signal(signal.SIGTERM, _stop)
    as_json = _wants_json(sys.argv[1:])
    _open_streams()
    try:
        code = application(standalone_mode=False)
    except ProblemError as error:
        _fail(error.problem, error.exit_code, as_json=as_json)
    except _CommandLineError as error:
        _fail(_usage(error), ExitCode.INVALID, as_json=as_json)
    except OSError as error:
        _fail(errors.about_files(error), ExitCode.FAILED, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - a fault of ours has the shape of any other
        _fail(errors.fault(error), ExitCode.FAILED, as_json=as_json)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _stop(_number: int, _frame: object) -> None:
    raise errors.stopped()


def _work(given: dict[str, Any], memory_limit: str | None, *, as_json: bool) -> None:
    from shoal.compressor import options, progress  # noqa: PLC0415 - --help stays fast
    from shoal.compressor.process import supervisor  # noqa: PLC0415

    job = options.resolve(options.Asked(**given))
    memory_bytes = None if memory_limit is None else options.parse_memory_limit(memory_limit)
    with progress.on_stderr() as shown:
        supervisor.run(given, job.cache, memory_bytes, shown)
    text = (job.out / "report.json").read_text()
    report = json.loads(text)
    if as_json:
        _say(text)
    elif report["chosen"] is not None:
        _say(_sentence(report, given["out"]))
    if report["interrupted"]:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if report["chosen"] is None:
        if not as_json:
            error = report["error"]
            _fail(
                Problem(reason=error["reason"], message=error["message"], hint=_nearest(error)),
                ExitCode.FAILED,
                as_json=False,
            )
        raise typer.Exit(ExitCode.FAILED)


def _sentence(report: dict[str, Any], out: str) -> str:
    chosen, source = report["chosen"], report["source"]
    slower = " (the source misses the budget)" if chosen.get("slower_than_source") else ""
    return (
        f"{chosen['recipe']['title']}: {chosen['bytes']} B (source {source['bytes']} B), "
        f"{report['metric']} {chosen['score']:.4f} (source {source['score']:.4f}), "
        f"latency x{chosen['latency_ratio']:.2f}{slower}\n"
        f"{out}/{chosen['file']}\n{out}/report.html\n"
    )


def _nearest(error: dict[str, Any]) -> str:
    missed = "; ".join(_missed(one) for one in error["nearest"])
    return f"{missed}. {error['hint']}" if missed else error["hint"]


def _missed(one: dict[str, Any]) -> str:
    """`memory_bytes 10.5 MiB: nearest 10.9 MiB, missed by 346 KiB`."""
    limit, nearest, by = (
        units.format_size(round(one[name])) if "bytes" in one["constraint"] else f"{one[name]:g}"
        for name in ("limit", "nearest", "missed_by")
    )
    return f"{one['constraint']} {limit}: nearest {nearest}, missed by {by}"


def _wants_json(arguments: list[str]) -> bool:
    """Whether `-o json` is on the line, even where the rest of it cannot be parsed."""
    following = [*arguments[1:], ""]
    return any(
        word in {"-ojson", "--output=json", "-o=json"}
        or (word in {"-o", "--output"} and after == "json")
        for word, after in zip(arguments, following, strict=True)
    )


def _usage(error: Exception) -> Problem:
    message = getattr(error, "format_message", error.__str__)()
    return Problem(reason="Usage", message=message, hint="shoal-compress --help shows the options")


def _fail(problem: Problem, code: ExitCode, *, as_json: bool) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    if as_json:
        with contextlib.suppress(OSError):  # nobody reads it: the exit code still tells
            _say(json.dumps({"error": problem.to_json()}) + "\n")
    else:
        sys.stderr.write(f"{problem.to_text()}\n")
    sys.exit(code)


def _say(text: str) -> None:
    """Writes to stdout, and finds out at once whether it arrived.

    Raises:
        OSError: stdout is full or was closed; nothing more will be written there.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter fails on it once more
        raise


def _open_streams() -> None:
    """Whatever stream the caller closed leads nowhere, so that no other file takes its number."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            setattr(sys, name, os.fdopen(number, "w"))


if __name__ == "__main__":
    main()
