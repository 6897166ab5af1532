"""The example of distillation: a student learns from a teacher's answers, no label in sight."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.compress.workshop import Workshop


def script(path: Path, *words: object) -> str:
    ran = subprocess.run(
        [sys.executable, str(path), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_student_learns_the_digits_from_its_teacher_alone(
    tmp_path: Path, repository: Path
) -> None:
    examples = repository / "examples"
    script(examples / "digits" / "train.py", "--out", tmp_path)
    (tmp_path / "train.npz").unlink()
    with np.load(tmp_path / "calibration.npz") as rows:
        assert rows.files == ["image"]

    ran = Workshop(folder=tmp_path, cache=tmp_path / "cache").run(
        *("--methods", "distill", "--objective", "bytes"), model="teacher.onnx"
    )

    assert ran.code == 0, ran.err
    report = ran.json
    assert report["validation"]["from"] == "calibration"
    assert report["validation"]["against"] == "source"
    chosen = report["chosen"]
    assert chosen["recipe"]["passes"][-1]["method"] == "distill"
    assert chosen["bytes"] < 0.5 * report["source"]["bytes"]
    assert chosen["score"] >= report["source"]["score"] - 0.01
    told = script(
        examples / "distill" / "check.py",
        tmp_path / "teacher.onnx",
        tmp_path / "out" / "report.json",
        tmp_path / "evaluation.npz",
    )
    assert f"student: {chosen['bytes']} B, {chosen['score']:.4f} of 360 images right" in told
