"""`shoal variant compare`: two variants side by side, from a controller or from a report."""

import json
from pathlib import Path
from typing import Any

from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer


def figures(digest: str, size: int, score: float, interval: tuple[float, float]) -> dict[str, Any]:
    return {
        "digest": f"sha256:{digest}",
        "bytes": size,
        "score": score,
        "score_interval": list(interval),
        "latency_ms": {"p50": size / 1000, "p95": size / 500},
        "latency_ratio": size / 200_000,
        "peak_memory_bytes": 12_000_000,
    }


SMALL = figures("aa" * 32, 50_000, 0.98, (0.97, 0.99))
LARGE = figures("bb" * 32, 100_000, 0.985, (0.98, 0.99))


def a_report(folder: Path) -> str:
    def point(one: dict[str, Any], title: str) -> dict[str, Any]:
        return {**one, "recipe": {"title": title}, "parity": {"agreement": 0.99, "max_abs": 0.1}}

    path = folder / "report.json"
    source = {"digest": "sha256:" + "cc" * 32, "bytes": 200_000, "score": 0.99}
    path.write_text(
        json.dumps(
            {
                "source": {**source, "latency_ms": {"p50": 200.0, "p95": 400.0}},
                "pareto": [point(SMALL, "int8"), point(LARGE, "graph")],
                "chosen": point(SMALL, "int8"),
            }
        )
    )
    return str(path)


def test_two_variants_of_a_controller_side_by_side(api: ApiServer, shoal: Shoal) -> None:
    for name, status in (("aaaa-f00d", SMALL), ("bbbb-f00d", LARGE)):
        spec = {"model": "digits", "recipe": {"title": name}}
        api.store(fleet.a_resource("Variant", name, spec, {**status, "agreement": 0.99}))
    ran = shoal("variant", "compare", "variant/bbbb-f00d", "aa")
    assert ran.code == 0, ran.err
    lines = {line.split("  ")[0]: line for line in ran.out.splitlines()}
    assert lines["bytes"].endswith("x0.50")
    assert lines["score"].endswith("-0.0050")
    assert "overlap" in ran.out
    assert max(len(line) for line in ran.out.splitlines()[:-1]) <= 80


def test_of_many_variants_only_some_are_named(api: ApiServer, shoal: Shoal) -> None:
    for number in range(12):
        spec = {"model": "digits", "recipe": {"title": "x"}}
        api.store(fleet.a_resource("Variant", f"v{number:02}-f00d", spec, {**SMALL}))
    hint = shoal("variant", "compare", "zz", "v00", "-o", "json").json["error"]["hint"]
    assert hint.endswith("v07-f00d and 4 more: shoal get variants")


def test_a_report_needs_no_controller(tmp_path: Path, shoal: Shoal) -> None:
    ran = shoal(
        "variant", "compare", "source", "chosen", "--report", a_report(tmp_path), "-o", "json"
    )
    assert ran.code == 0, ran.err
    rows = {row["figure"]: row for row in ran.json["rows"]}
    assert (rows["bytes"]["a"], rows["bytes"]["b"]) == (200_000, 50_000)
    assert rows["bytes"]["change"] == 0.25
    assert rows["score"]["change"] == -0.01
    assert rows["peak memory bytes"]["change"] is None


def test_an_unknown_variant_is_answered_with_the_known_ones(tmp_path: Path, shoal: Shoal) -> None:
    ran = shoal("variant", "compare", "dd", "chosen", "--report", a_report(tmp_path), "-o", "json")
    assert ran.code == 3
    assert ran.json["error"]["reason"] == "NotFound"
    assert "aaaaaaaaaaaa" in ran.json["error"]["hint"]


def test_a_file_that_is_no_report_is_refused(tmp_path: Path, shoal: Shoal) -> None:
    path = tmp_path / "report.json"
    path.write_text("[]")
    ran = shoal("variant", "compare", "a", "b", "--report", str(path), "-o", "json")
    assert (ran.code, ran.json["error"]["field"]) == (2, "--report")
    missing = shoal("variant", "compare", "a", "b", "--report", str(tmp_path / "x"), "-o", "json")
    assert missing.code == 3
