"""Networks of volumes, told apart from those of pictures: a 3-d convolution takes (C, D, H, W) for one volume."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnnwidgets.net.checks import dtype_of
from cnnwidgets.net.replica import replicate

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def refuse_volumes(module: nn.Module, shape: tuple[int, int, int] | None, device: torch.device) -> None:
    """Raise a TypeError, with what to do, for a network that takes volumes and not pictures.

    Parameters:
        shape: (C, H, W) of the input, if that is known: of a network that makes volumes of pictures it has to be.
    """
    first = next((part for part in module.modules() if isinstance(part, _CONVOLUTIONS)), None)
    if not isinstance(first, (nn.Conv3d, nn.ConvTranspose3d)):
        return
    if shape is not None and not _gives_pictures_to_3d(
        module, torch.zeros(2, *shape, device=device, dtype=dtype_of(module))
    ):
        return
    raise TypeError(
        f"{type(module).__name__} takes volumes (N, C, D, H, W), for its first convolution is a {type(first).__name__}; "
        "cnnwidgets binds networks of pictures (N, C, H, W): wrap it in a module that makes the volume of a picture, "
        "such as model(x[:, None]) with a slice a channel, and bind that with input_shape=(slices, H, W)"
    )


def _gives_pictures_to_3d(module: nn.Module, pictures: torch.Tensor) -> bool:
    """Whether a 3-d convolution is given pictures as they are: it would take the batch for the channels of a volume."""
    seen = _Dimensions()
    try:
        with replicate(module).running() as double, torch.no_grad(), seen:
            double(pictures)
    except Exception:
        pass  # another fault is told where the network is used
    return 4 in seen.of_inputs


class _Dimensions(TorchFunctionMode):
    """Notices how many axes the inputs of 3-d convolutions have."""

    def __init__(self) -> None:
        super().__init__()
        self.of_inputs: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.conv3d, torch.conv_transpose3d) and args:
            self.of_inputs.add(args[0].ndim)
        return func(*args, **(kwargs or {}))
