"""From a finished search to what the controller keeps: blobs, archive and Variant resources."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shoal.contract import digest as digests
from shoal.contract.digest import Digest
from shoal.controller.planning import naming
from shoal.controller.reconcile.jobs import JobResult
from shoal.controller.store.port import BlobStore, Record


async def take_in(result: JobResult, blobs: BlobStore) -> dict[str, Any]:
    """Store every file of the report as a blob and return the archive of its profile class.

    The archive is JSON: `points` with the fields of `shoal.contract.choice.Point`, `recipe`,
    `runtime`, `format` and `reference`; `golden`, `output`, `source_score`, `min_score`, and
    `nearest` where nothing was feasible. Scores are the metric's own; where `smaller_is_better`,
    `revisions.model_view` turns them for the choice.

    Raises:
        ValueError: a file's digest is not the one that the report names.
    """
    report = result.report
    points = []
    for row in report["pareto"]:
        await _store(blobs, result.folder / row["file"], row["digest"])
        reference = row.get("reference")
        if reference:
            await _store(blobs, result.folder / reference["file"], reference["digest"])
        points.append(_point(row))
    golden = report.get("golden")
    if golden:
        await _store(blobs, result.folder / golden["file"], golden["digest"])
    return {
        "points": points,
        "golden": golden and {key: value for key, value in golden.items() if key != "file"},
        "output": report.get("output", ""),
        "metric": report.get("metric", ""),
        "smaller_is_better": report.get("smaller_is_better", False),
        "source_score": report["source"]["score"],
        "source_bytes": report["source"]["bytes"],
        "min_score": report["constraints"]["min_score"],
        "nearest": (report.get("error") or {}).get("nearest"),
    }


def joined(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The `new` archive of a class that had an `old` one, with the points that only that has.

    Devices may run them, and whatever a rollout once chose must stay where it can be told again.
    """
    known = {one["digest"] for one in new["points"]}
    kept = [one for one in old["points"] if one["digest"] not in known]
    return {**new, "points": [*new["points"], *kept]}


def summary(archive: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """What a search found, for people; also where fewer golden inputs travel than were asked for.

    There are as many as evaluation rows, and as fit into what a device takes.
    """
    said = f"{naming.counted(len(archive['points']), 'variant')} on the front"
    wanted, golden = int(spec["data"].get("golden") or 0), archive.get("golden") or {}
    rows = int(golden.get("rows", wanted))
    return said if rows >= wanted else f"{said}; {rows} golden inputs of {wanted} asked for"


def variant_name(point: Mapping[str, Any], profile_class: str) -> str:
    """The name of the Variant resource of an archive's point."""
    return f"{digests.short(Digest(point['digest']))}-{profile_class[:6]}"


def variant_document(
    point: Mapping[str, Any], archive: Mapping[str, Any], revision: Record, profile_class: str
) -> dict[str, Any]:
    """The Variant resource of a point of the `archive` of a stored revision, without metadata."""
    figures = (
        "digest",
        "bytes",
        "score",
        "score_interval",
        "latency_ms",
        "latency_ratio",
        "peak_memory_bytes",
        "floor_proven",
        "runtime",
        "format",
        "stages",
    )
    return {
        "apiVersion": "shoal/v1",
        "kind": "Variant",
        "spec": {
            "model": revision.data["model"],
            "modelRevision": revision.data["number"],
            "profileClass": profile_class,
            "recipe": point["recipe"],
        },
        "status": {
            **{name: point[name] for name in figures if point.get(name) is not None},
            "agreement": point["parity"]["agreement"],
            "metric": archive["metric"],
            "smaller_is_better": archive["smaller_is_better"],
        },
    }


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "digest": row["digest"],
        "bytes": row["bytes"],
        "score": row["score"],
        "score_interval": row["score_interval"],
        "validation_score": row["validation_score"],
        "validation_interval": row["validation_interval"],
        "agreement": row["validation_agreement"],
        "parity": row["parity"],
        "latency_ms": row["latency_ms"],
        "latency_p95_ms": row["latency_ms"]["p95"],
        "latency_ratio": row["latency_ratio"],
        "peak_memory_bytes": row["peak_memory_bytes"],
        "is_source": row["is_source"],
        "recipe": row["recipe"],
        "runtime": row["runtime"],
        "format": Path(row["file"]).suffix.removeprefix("."),
        "floor_proven": row["floor_proven"],
        "stages": row.get("stages"),
        "reference": row.get("reference")
        and {key: value for key, value in row["reference"].items() if key != "file"},
    }


async def _store(blobs: BlobStore, path: Path, expected: str) -> None:
    stored = await blobs.put_file(path)
    if stored != expected:
        raise ValueError(f"{path.name} has digest {stored}, but the report says {expected}")
