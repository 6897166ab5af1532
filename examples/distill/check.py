"""Hold a student against its teacher with onnxruntime alone: nothing here is Shoal's.

    python check.py teacher.onnx student/report.json evaluation.npz

Prints the bytes and the score of both, and on how many images they say the same.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray


def digits(model: Path, images: NDArray[np.float32]) -> NDArray[np.int64]:
    """The digit that the model reads in each image."""
    (scores,) = onnxruntime.InferenceSession(model).run(None, {"image": images})
    read: NDArray[np.int64] = scores.argmax(axis=1)
    return read


def main() -> None:
    """Read the images twice, compare, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teacher", type=Path)
    parser.add_argument("report", type=Path, help="report.json of shoal-compress")
    parser.add_argument("rows", type=Path, help="labelled images, .npz")
    given = parser.parse_args()

    student = given.report.parent / json.loads(given.report.read_text())["chosen"]["file"]
    with np.load(given.rows) as rows:
        images, labels = rows["image"], rows["y"]
    read = {model: digits(model, images) for model in (given.teacher, student)}
    for name, model in (("teacher", given.teacher), ("student", student)):
        right = (read[model] == labels).mean()
        print(f"{name}: {model.stat().st_size} B, {right:.4f} of {len(labels)} images right")
    agreed = (read[given.teacher] == read[student]).mean()
    print(f"agreement: {agreed:.4f}")


if __name__ == "__main__":
    main()
