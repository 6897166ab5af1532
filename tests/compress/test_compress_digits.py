"""One real search over a reader of digits: what it writes, what it chooses, that it repeats."""

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from shoal.contract import digest
from tests.compress.workshop import Workshop, write_digits

OPTIONS = ("--max-drop", "0.02", "--objective", "accuracy", "--golden", "200")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder)
    return Workshop(folder=folder, cache=folder / "cache")


@pytest.fixture(scope="module")
def train(workshop: Workshop) -> tuple[str, str]:
    return ("--train", str(workshop.folder / "train.npz"))


@pytest.fixture(scope="module")
def report(workshop: Workshop, train: tuple[str, str]) -> Any:
    ran = workshop.run(*OPTIONS, *train, "--out", str(workshop.folder / "first"))
    assert ran.code == 0, ran.err
    return ran.json


def test_stdout_is_the_report(workshop: Workshop, report: Any) -> None:
    assert json.loads((workshop.folder / "first" / "report.json").read_text()) == report


def test_every_file_that_the_report_names_is_what_its_digest_says(
    workshop: Workshop, report: Any
) -> None:
    out = workshop.folder / "first"
    assert report["pareto"]
    for row in report["pareto"]:
        assert digest.of_file(out / row["file"]) == row["digest"]
        assert (out / row["file"]).stat().st_size == row["bytes"]
        assert digest.of_file(out / row["reference"]["file"]) == row["reference"]["digest"]
    assert digest.of_file(out / report["golden"]["file"]) == report["golden"]["digest"]


def test_every_variant_answers_the_golden_rows_as_its_reference_says(
    workshop: Workshop, report: Any
) -> None:
    out = workshop.folder / "first"
    golden = np.load(out / "golden.npz")
    assert len(golden["image"]) == report["golden"]["rows"] == 200
    assert golden["y"].tolist() == report["golden"]["labels"]
    for row in report["pareto"]:
        session = onnxruntime.InferenceSession(out / row["file"])
        reference = np.load(out / row["reference"]["file"])
        answers = [
            session.run([report["output"]], {"image": image[None]})[0][0]
            for image in golden["image"]
        ]
        assert np.argmax(answers, axis=1).tolist() == reference["answers"].tolist()
        assert np.allclose(answers, reference["outputs"], atol=1e-5)


def test_the_front_spans_sizes_from_the_cleaned_source_to_strongly_pruned_int8(
    report: Any,
) -> None:
    source = report["source"]["bytes"]
    sizes = [row["bytes"] for row in report["pareto"]]
    assert sum(row["is_source"] for row in report["pareto"]) == 1
    assert max(sizes) <= source * 1.01
    assert min(sizes) < source / 8
    assert any(source / 5 < size < source / 2 for size in sizes)


def test_every_point_meets_the_floor_and_says_where_it_stands(report: Any) -> None:
    floor = report["constraints"]["min_score"]
    assert floor == pytest.approx(report["source"]["score"] - 0.02)
    for row in report["pareto"]:
        low, high = row["score_interval"]
        assert row["score"] >= floor
        assert low <= row["score"] <= high
        assert row["floor_proven"] == (low >= floor)
        assert row["peak_memory_bytes"] > 0
        assert 0 < row["latency_ms"]["p50"] <= row["latency_ms"]["p95"] * 1.5
    assert report["environment"]["runtime_rss_bytes"] > 1_000_000


def test_a_run_from_a_finished_cache_repeats_its_choice(
    workshop: Workshop, train: tuple[str, str], report: Any
) -> None:
    again = workshop.run(*OPTIONS, *train).json
    for one in (again, report):
        one["environment"]["seconds"] = 0
    assert again == report


def test_budgets_pick_different_variants_of_one_archive(
    workshop: Workshop, train: tuple[str, str], report: Any
) -> None:
    source = report["source"]["bytes"]
    chosen = {}
    for limit in (source * 10, source // 2, source // 5):
        ran = workshop.run(*OPTIONS, *train, "--budget", f"artifact={limit}B")
        assert ran.code == 0, ran.err
        assert ran.json["chosen"]["bytes"] <= limit
        assert {row["digest"] for row in ran.json["pareto"]} == {
            row["digest"] for row in report["pareto"]
        }
        chosen[limit] = ran.json["chosen"]["digest"]
    assert len(set(chosen.values())) == 3


@pytest.mark.slow
def test_swapping_the_budgets_of_two_profiles_swaps_their_variants(
    workshop: Workshop, train: tuple[str, str], report: Any
) -> None:
    source = report["source"]["bytes"]
    small, large = f"{source // 5}B", f"{source * 10}B"

    def chosen(budgets: dict[str, str]) -> dict[str, str]:
        found = {}
        for name, artifact in budgets.items():
            profile = workshop.folder / f"{name}.yaml"
            profile.write_text(
                "kind: DeviceProfile\n"
                f"metadata: {{name: {name}}}\n"
                f"spec: {{budget: {{artifact: {artifact}}}}}\n"
            )
            ran = workshop.run(*OPTIONS, *train, "--profile", str(profile))
            found[name] = ran.json["chosen"]["digest"]
        return found

    before = chosen({"camera": small, "gateway": large})
    after = chosen({"camera": large, "gateway": small})
    assert before["camera"] != before["gateway"]
    assert after == {"camera": before["gateway"], "gateway": before["camera"]}


@pytest.mark.slow
def test_damaged_models_of_a_cache_are_built_again(
    workshop: Workshop, train: tuple[str, str], report: Any, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(workshop.cache, cache)
    for model in (cache / "compress" / "models").iterdir():
        model.write_bytes(model.read_bytes()[:100])
    other = Workshop(folder=workshop.folder, cache=cache)
    again = other.run(*OPTIONS, *train, "--out", str(tmp_path / "out")).json
    assert again["chosen"]["digest"] == report["chosen"]["digest"]
    for row in again["pareto"]:
        assert digest.of_file(tmp_path / "out" / row["file"]) == row["digest"]


@pytest.mark.slow
def test_two_runs_at_once_share_a_cache(
    workshop: Workshop, train: tuple[str, str], tmp_path: Path
) -> None:
    other = Workshop(folder=workshop.folder, cache=tmp_path / "cache")
    outs = [tmp_path / name for name in ("one", "two")]
    runs = [
        subprocess.Popen(
            other.command(*OPTIONS, *train, "--methods", "quantize", "--out", str(out)),
            env=other.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for out in outs
    ]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    for out in outs:
        for row in json.loads((out / "report.json").read_text())["pareto"]:
            assert digest.of_file(out / row["file"]) == row["digest"]


@pytest.mark.slow
def test_a_looser_floor_lets_the_objective_bytes_choose_a_smaller_variant(
    workshop: Workshop, train: tuple[str, str]
) -> None:
    strict, loose = (
        workshop.run("--objective", "bytes", "--max-drop", drop, *train).json["chosen"]
        for drop in ("0", "0.15")
    )
    assert loose["bytes"] < strict["bytes"]
    assert loose["digest"] != strict["digest"]


def test_what_nothing_can_meet_ends_with_the_nearest_miss(
    workshop: Workshop, train: tuple[str, str]
) -> None:
    ran = workshop.run(*OPTIONS, *train, "--budget", "artifact=100B")
    assert ran.code == 1
    assert ran.json["chosen"] is None
    error = ran.json["error"]
    assert error["reason"] == "NoFeasibleVariant"
    (miss,) = error["nearest"]
    smallest = min(row["bytes"] for row in ran.json["pareto"])
    assert miss["constraint"] == "artifact_bytes"
    assert miss["nearest"] == smallest
    assert miss["missed_by"] == smallest - 100


def test_a_floor_above_the_sources_own_score_is_refused_with_both_numbers(
    workshop: Workshop, train: tuple[str, str], report: Any
) -> None:
    ran = workshop.run("--min-score", "1.0", *train)
    assert ran.code == 2
    own = report["source"]["score"]
    assert ran.json["error"]["message"] == f"--min-score 1 is above the source's own {own:g}"
    assert ran.json["error"]["field"] == "--min-score"


def test_the_page_needs_nothing_from_elsewhere(workshop: Workshop, report: Any) -> None:
    page = (workshop.folder / "first" / "report.html").read_text()
    assert report["pareto"]
    assert page.count("<circle") == 3 * len(report["pareto"])
    assert "prefers-color-scheme: dark" in page
    assert "http" not in page
    assert "<script" not in page


def test_the_same_inputs_and_seed_give_the_same_bytes(
    workshop: Workshop, train: tuple[str, str], report: Any, tmp_path: Path
) -> None:
    other = Workshop(folder=workshop.folder, cache=tmp_path / "cache")
    again = other.run(*OPTIONS, *train, "--methods", "quantize,prune", "--out", str(tmp_path))
    assert again.code == 0, again.err

    def digests(one: Any) -> dict[str, str]:
        rows = [*one["pareto"], *one["dominated"]]
        return {row["recipe"]["title"]: row["digest"] for row in rows}

    first, second = digests(report), digests(again.json)
    shared = first.keys() & second.keys()
    assert {"graph", "graph + prune(ratio=0.5)"} <= shared
    assert {title: first[title] for title in shared} == {title: second[title] for title in shared}


def test_a_killed_run_resumes_and_an_interrupted_one_reports(
    workshop: Workshop, tmp_path: Path
) -> None:
    other = Workshop(folder=workshop.folder, cache=tmp_path / "cache")
    command = other.command("--methods", "quantize,distill", "--out", str(tmp_path / "out"))
    _stop_at(command, other.environment, "quantize static", signal.SIGKILL)
    assert not (tmp_path / "out" / "report.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.onnx")}
    assert kept
    code, out = _stop_at(command, other.environment, "distill", signal.SIGINT)
    assert code == 130
    stopped = json.loads(out)
    assert stopped["interrupted"]
    assert stopped == json.loads((tmp_path / "out" / "report.json").read_text())
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for row in stopped["pareto"]:
        assert (tmp_path / "out" / row["file"]).exists()


def _stop_at(
    command: list[str], environment: dict[str, str], line: str, how: signal.Signals
) -> tuple[int, str]:
    """Sends the signal when progress says that a candidate of this kind is being tried."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for told in process.stderr:
            if told.startswith("trying") and line in told:
                process.send_signal(how)
                break
        out, _ = process.communicate(timeout=60)
    return process.returncode, out
