"""Writes a finished report and everything it names into the output folder."""

import errno
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shoal.compressor import errors
from shoal.compressor.artifacts import format_of
from shoal.compressor.evaluate import runner
from shoal.compressor.export import golden as golden_set
from shoal.compressor.export import page
from shoal.compressor.export.golden import Golden
from shoal.compressor.search.cache import Cache
from shoal.contract import digest
from shoal.contract.reason import Reason


def prepare(out: Path) -> None:
    """Makes the output folder before a search of minutes, not after it.

    Raises:
        InvalidError: it cannot be made or written.
    """
    try:
        (out / "variants").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
        for name in ("report.json", "report.html"):
            if (out / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{name} is a folder there")
    except OSError as error:
        raise errors.invalid(
            Reason.INVALID,
            f"{out} cannot be written: {error.strerror}",
            field="--out",
            hint="name a folder that is yours, or one that can be created",
        ) from None


def write(
    report: dict[str, Any], cache: Cache, out: Path, golden: Golden | None, source: Path
) -> None:
    """Fills the prepared `out`; the report comes last, when every file it names is there."""
    references: dict[str, Any] = {}
    threads = report["environment"]["threads"]
    if golden is not None:
        opened = runner.open_file(source, threads)
        report["golden"] = golden_set.write(golden, opened, report["output"])
    for row in report["pareto"]:
        model = cache.model_path(row["digest"], format_of(out / row["file"]))
        shutil.copyfile(model, out / row["file"])
        if any("edgetpu" in note for note in row["notes"]):
            row["compiled"] = _compiled(out / row["file"])
        if golden is not None:
            path = out / "references" / f"{digest.hex_of(row['digest'])}.npz"
            opened = runner.open_file(model, threads)
            references[row["digest"]] = golden_set.write_reference(
                golden, opened, report["output"], path
            )
    for row in (*report["pareto"], report["chosen"]):
        if row is not None and row["digest"] in references:
            row["reference"] = references[row["digest"]]
    (out / "report.html").write_text(page.page(report))
    part = out / "report.json.part"
    part.write_text(text(report))
    part.replace(out / "report.json")


def _compiled(variant: Path) -> dict[str, Any]:
    """What the Edge TPU's compiler made of a variant: a file beside it, or why there is none."""
    from shoal.compressor.litert import edgetpu  # noqa: PLC0415 - an optional extra

    try:
        data = edgetpu.compile_file(variant.read_bytes())
    except edgetpu.CompilerError as error:
        return {"file": None, "why": str(error)}
    if data is None:
        return {"file": None, "why": f"{edgetpu.COMPILER} is not on PATH"}
    path = variant.with_suffix(".edgetpu.tflite")
    path.write_bytes(data)
    return {
        "file": f"{path.parent.name}/{path.name}",
        "digest": digest.of_bytes(data),
        "bytes": len(data),
    }


def text(report: Mapping[str, Any]) -> str:
    """The report as JSON, also for stdout."""
    return json.dumps(report, indent=1, allow_nan=False) + "\n"
