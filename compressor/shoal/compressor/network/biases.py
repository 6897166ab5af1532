"""Exporters of old write Conv and Add where one Conv with a bias does the same."""

from torch import nn

from shoal.compressor.network.arithmetic import Arithmetic


def became_bias(before: nn.Module, layer: nn.Module) -> bool:
    """Give an added constant to the convolution or product before it, if it has no bias yet."""
    if not isinstance(before, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
        return False
    if before.bias is not None or not isinstance(layer, Arithmetic) or layer.operator != "Add":
        return False
    constant = layer.only_constant
    if constant is None or constant.dtype != before.weight.dtype:
        return False
    channels = before.weight.shape[0]
    axis = constant.ndim - 1 if isinstance(before, nn.Linear) else 1
    if list(constant.shape) != [channels if place == axis else 1 for place in range(constant.ndim)]:
        return False
    before.bias = nn.Parameter(constant.detach().reshape(-1).clone())
    return True
