"""Train the example's digit readers and write everything that shoal apply needs.

Run it as a program; it is the one file outside the compressor that imports torch. One call trains
any number of sources, because importing torch takes longer than training one of them:

    python train.py --out DIR --source teacher --source mislabelled:labels=permuted

DIR receives, for every source, NAME.onnx (one file; input `image` [N,1,8,8] float32 in 0..1, output
`logits` [N,10]); for every kind of labels asked for, train.npz (true) or train-permuted.npz; and
calibration.npz (inputs only) and evaluation.npz (inputs and `y`), which all sources share.
The data are scikit-learn's 1,797 handwritten digits: 80 % to train, 20 % held out, stratified. The
images are all distinct, so no held-out one is found in train or calibration.

The same arguments on the same machine and versions write the same bytes: seeded, one thread.
"""

import argparse
import enum
import json
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

CLASSES = 10
CALIBRATION_ROWS = 400
EPOCHS = 12
BATCH_ROWS = 32
PEAK_LEARNING_RATE = 5e-3

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


class LabelKind(enum.Enum):
    """What a source is taught."""

    TRUE = "true"
    PERMUTED = "permuted"  # every digit is called by the next one: confidently wrong everywhere

    def of(self, digits: Labels) -> Labels:
        """The labels that this kind gives to the true digits."""
        return (digits + 1) % CLASSES if self is LabelKind.PERMUTED else digits

    @property
    def train_file(self) -> str:
        """The file of the training rows that carry these labels."""
        return "train-permuted.npz" if self is LabelKind.PERMUTED else "train.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One model to train."""

    name: str
    seed: int = 0
    labels: LabelKind = LabelKind.TRUE

    @classmethod
    def parse(cls, text: str) -> "Source":
        """Read `NAME[:seed=N][,labels=true|permuted]`.

        Raises:
            ValueError: an unknown option, or a value that is none of its own.
        """
        name, _, rest = text.partition(":")
        options = dict(part.partition("=")[::2] for part in rest.split(",") if part)
        unknown = options.keys() - {"seed", "labels"}
        if unknown or not name.isidentifier():
            raise ValueError(f"{text!r} is not NAME[:seed=N][,labels=true|permuted]")
        return cls(
            name=name,
            seed=int(options.get("seed", "0")),
            labels=LabelKind(options.get("labels", "true")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """The data, split once for all sources. Images are [N,1,8,8] in 0..1."""

    train_images: Floats
    train_digits: Labels
    held_out_images: Floats
    held_out_digits: Labels


def load() -> Digits:
    """Split the handwritten digits 80/20, stratified, always in the same way."""
    data = load_digits()
    images = (data.images / 16).astype(np.float32)[:, None]
    train_images, held_out_images, train_digits, held_out_digits = train_test_split(
        images, data.target.astype(np.int64), test_size=0.2, stratify=data.target, random_state=0
    )
    return Digits(
        train_images=train_images,
        train_digits=train_digits,
        held_out_images=held_out_images,
        held_out_digits=held_out_digits,
    )


def convolution(channels_in: int, channels_out: int) -> list[nn.Module]:
    """A 3x3 convolution with batch norm, which the export folds away, and ReLU."""
    return [
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    ]


def network() -> nn.Sequential:
    """A net of 58,474 parameters: 235 KB as float32, about 65 KB in int8."""
    return nn.Sequential(
        *convolution(1, 32),
        nn.MaxPool2d(2),
        *convolution(32, 64),
        *convolution(64, 64),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 2 * 2, CLASSES),
    )


def train(source: Source, digits: Digits) -> nn.Sequential:
    """Train one source with Adam on a one-cycle schedule."""
    torch.manual_seed(source.seed)
    images = torch.from_numpy(digits.train_images)
    labels = torch.from_numpy(source.labels.of(digits.train_digits))
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), PEAK_LEARNING_RATE)
    # A short last batch would upset batch norm, so each epoch leaves the rows after it out.
    batches = len(images) // BATCH_ROWS
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_LEARNING_RATE, total_steps=EPOCHS * batches
    )
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images))[: batches * BATCH_ROWS].reshape(batches, BATCH_ROWS)
        total = 0.0
        for rows in order:
            loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        progress(f"{source.name}: epoch {epoch + 1}/{EPOCHS}, loss {total / batches:.4f}")
    return model.eval()


def accuracy(model: nn.Module, digits: Digits) -> float:
    """The share of the held-out digits that the model names truly."""
    with torch.no_grad():
        answers = model(torch.from_numpy(digits.held_out_images)).argmax(dim=1).numpy()
    return float((answers == digits.held_out_digits).mean())


def export(model: nn.Module, path: Path) -> None:
    """Write one ONNX file without a data file beside it."""
    with warnings.catch_warnings():
        # The newer exporter needs onnxscript, which nothing else here does.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model,
            (torch.zeros(2, 1, 8, 8),),
            path,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
            opset_version=17,
            dynamo=False,
        )


def write_data(digits: Digits, kinds: set[LabelKind], out: Path) -> None:
    """Write the arrays under the input's name; calibration is the start of the shuffled train."""
    np.savez(out / "calibration.npz", image=digits.train_images[:CALIBRATION_ROWS])
    np.savez(out / "evaluation.npz", image=digits.held_out_images, y=digits.held_out_digits)
    for kind in kinds:
        labels = kind.of(digits.train_digits)
        np.savez(out / kind.train_file, image=digits.train_images, y=labels)


def progress(line: str) -> None:
    """Tell the person who waits; stdout stays one JSON document."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Train what the command line names and print what came out as one JSON line."""
    parser = argparse.ArgumentParser(description="Train the digit readers of this example.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--source",
        type=Source.parse,
        action="append",
        metavar="NAME[:seed=N][,labels=true|permuted]",
        help="a model to train; repeat for more (default: teacher)",
    )
    arguments = parser.parse_args()
    sources: list[Source] = arguments.source or [Source(name="teacher")]
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    digits = load()
    write_data(digits, {source.labels for source in sources}, arguments.out)
    rows = []
    for source in sources:
        started = time.monotonic()
        model = train(source, digits)
        path = arguments.out / f"{source.name}.onnx"
        export(model, path)
        score = accuracy(model, digits)
        seconds = time.monotonic() - started
        progress(f"{source.name}: {score:.4f} of the held-out digits right, {seconds:.1f} s")
        rows.append(
            {
                "name": source.name,
                "file": path.name,
                "train": source.labels.train_file,
                "seed": source.seed,
                "labels": source.labels.value,
                "accuracy": score,
                "bytes": path.stat().st_size,
                "seconds": round(seconds, 2),
            }
        )
    print(json.dumps({"sources": rows, "held_out": len(digits.held_out_digits)}))


if __name__ == "__main__":
    main()
