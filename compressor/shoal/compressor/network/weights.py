"""Constants of the graph as torch tensors."""

import numpy as np
import torch
from torch import Tensor, nn

from shoal.compressor.network.node import Array


def tensor(array: Array) -> Tensor:
    """A copy that torch may train."""
    return torch.from_numpy(np.array(array))


def parameter(array: Array) -> nn.Parameter:
    """A copy that torch does train."""
    return nn.Parameter(tensor(array))
