"""Engines and machines that a profile names: what is chosen runs there, guesses are marked."""

import os
from pathlib import Path
from typing import Any

import pytest

from shoal.compressor.evaluate import environment
from tests.compress.workshop import Workshop, write_digits

METHODS = ("--methods", "quantize")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("engines")
    write_digits(folder)
    return Workshop(folder=folder, cache=folder / "cache")


def a_profile(workshop: Workshop, spec: str) -> str:
    path = workshop.folder / "profile.yaml"
    path.write_text(
        f"apiVersion: shoal/v1\nkind: DeviceProfile\nmetadata: {{name: p}}\nspec: {spec}\n"
    )
    return str(path)


def chosen(workshop: Workshop, out: Path, *options: str) -> Any:
    ran = workshop.run(*METHODS, *options, "--out", str(out))
    assert ran.code == 0, ran.err
    for row in ran.json["pareto"]:
        assert (out / row["file"]).is_file()
    return ran.json


def test_an_engine_alone_runs_everything_that_may_be_chosen(
    workshop: Workshop, tmp_path: Path
) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")
    report = chosen(workshop, tmp_path, "--engines", "litert")
    assert {row["runtime"] for row in report["pareto"]} == {"litert"}
    assert report["chosen"]["runtime"] == "litert"


def test_a_compiler_s_file_stands_beside_the_variant(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")
    program = tmp_path / "bin" / "edgetpu_compiler"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf compiled > "$3/model_edgetpu.tflite"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    spec = "{hardware: {arch: edgetpu}, runtime: {engines: [litert], precisions: [int8]}}"
    profile = a_profile(workshop, spec)
    report = chosen(workshop, tmp_path / "out", "--profile", profile, "--max-drop", "0.05")
    row = report["chosen"]
    assert (tmp_path / "out" / row["compiled"]["file"]).read_bytes() == b"compiled"
    (note,) = [one for one in row["notes"] if "edgetpu" in one]
    assert note["edgetpu"]["on_cpu"] == []


def test_another_machine_s_latency_is_marked_a_prediction(
    workshop: Workshop, tmp_path: Path
) -> None:
    spec = "{hardware: {arch: arm64, isa: [asimddp]}}"
    report = chosen(workshop, tmp_path, "--profile", a_profile(workshop, spec))
    assert (report["profile"]["arch"], report["profile"]["isa"]) == ("aarch64", ["asimddp"])
    assert all(row["latency_predicted"] for row in report["pareto"])


def test_this_machine_by_name_is_measured(workshop: Workshop, tmp_path: Path) -> None:
    here = environment.this_machine()
    spec = f"{{hardware: {{arch: {here.arch}, isa: [{', '.join(here.isa)}]}}}}"
    report = chosen(workshop, tmp_path, "--profile", a_profile(workshop, spec))
    assert not any(row.get("latency_predicted") for row in report["pareto"])
