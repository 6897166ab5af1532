"""The digits example on disk: manifests from the package, models and data from its training script.

Training is cached by the script's own content and the versions it runs with.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason
from shoal.lab.processes import Processes
from shoal.lab.traffic import Sample

MODEL = "digits"
_SOURCES = ("teacher", "mislabelled:labels=permuted", "retrained:seed=1")
_PACKAGES = ("torch", "scikit-learn", "numpy")


def folder() -> Path:
    """Where the example lies: in the wheel beside this module, in a checkout under examples/."""
    packaged = Path(__file__).parent / "examples" / "digits"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "examples" / "digits"


def prepare(processes: Processes, target: Path) -> bool:
    """Fill `target` with manifests, models and data; True when the training came from the cache."""
    cached = _cache()
    found = cached.is_dir()
    if not found:
        _train(processes, cached)
    for source in (folder(), cached):
        shutil.copytree(source, target, dirs_exist_ok=True)
    return found


def samples(target: Path) -> Sequence[Sample]:
    """The held-out digits as request bodies of the Open Inference Protocol."""
    with np.load(target / "evaluation.npz", allow_pickle=False) as data:
        images, labels = data["image"], data["y"]
    return [
        Sample(body=_body(image.ravel().tolist(), images.shape[1:]), label=int(label))
        for image, label in zip(images, labels, strict=True)
    ]


def _body(values: list[float], shape: tuple[int, ...]) -> str:
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, *shape], "data": values}
    return '{"id": "%d", ' + json.dumps({"inputs": [tensor]})[1:]


def _cache() -> Path:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    state = hashlib.sha256((folder() / "train.py").read_bytes())
    state.update(json.dumps([versions, _SOURCES]).encode())
    base = os.environ.get("SHOAL_CACHE_DIR") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shoal"
    )
    return Path(base) / "digits" / state.hexdigest()[:16]


def _train(processes: Processes, cached: Path) -> None:
    """Train into a folder beside the cache and rename it: a half-trained cache never exists."""
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as work:
        out = Path(work) / "out"
        command = [sys.executable, str(folder() / "train.py"), "--out", str(out)]
        for source in _SOURCES:
            command += ["--source", source]
        log = processes.run("train", command)
        _check(log)
        out.rename(cached)


def _check(log: str) -> None:
    """Refuse a training that missed what the demo promises.

    Raises:
        FailedError: a source with true labels scores below 98 % on the held-out digits.
    """
    result = json.loads(log.strip().splitlines()[-1])
    for source in result["sources"]:
        if source["labels"] == "true" and source["accuracy"] < 0.98:
            raise FailedError(
                Problem(
                    reason=Reason.BAD_DATA,
                    message=f"{source['name']} reached {source['accuracy']:.1%} instead of 98 %",
                )
            )
