"""The chain that somebody would write by hand: torch-pruning, fine-tuning, onnxruntime U8S8.

Half of the channels go by magnitude, the rest learns from the labels for as many epochs as
shoal-compress spends on its own choice, and onnxruntime's static quantizer does the rest.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_pruning

from bench import models
from bench.compressing import peers, venvs
from bench.models import Prepared

RATIO = 0.5


def make(prepared: Prepared, out: Path, *, seed: int, epochs: int) -> None:
    """Writes the pruned, fine-tuned, quantized net of a model that bench.models trains.

    Raises:
        AbsentError: the model is not one that is trained here.
    """
    if prepared.name not in models.TRAINED or prepared.train is None:
        raise venvs.AbsentError("its source is not a torch module that is trained here")
    model = models.trained(prepared.name, seed)
    row = torch.zeros(1, 1, 8, 8)
    last = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importance: Any = torch_pruning.importance.GroupMagnitudeImportance(p=2)
        torch_pruning.pruner.MetaPruner(
            model, row, importance=importance, pruning_ratio=RATIO, ignored_layers=[last]
        ).step()
    with np.load(prepared.train) as rows:
        images, labels = torch.from_numpy(rows["image"]), torch.from_numpy(rows["y"])
    torch.manual_seed(seed)
    models.fit(model, images, labels, epochs)
    narrow = out.with_suffix(".float.onnx")
    models.export(model, narrow)
    pruned = Prepared(
        name=prepared.name,
        model=narrow,
        calibration=prepared.calibration,
        train=prepared.train,
        evaluation=prepared.evaluation,
        max_drop=prepared.max_drop,
    )
    peers.make(peers.OWN_RUNTIME[0], pruned, out)
