"""The trained sample networks, as they lie in the folder weights."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from . import NAMES
from .datasets import Digits, Scenes
from .networks import LeNet5, SmallAlexNet, SmallResNet, SmallVGG

WEIGHTS = Path(__file__).parent / "weights"  # NAME-EPOCH.safetensors, written by train.py

_NETWORKS: dict[str, type[nn.Module]] = {
    "digits": LeNet5,
    "scenes": SmallResNet,
    "grass": SmallResNet,
    "plain": SmallVGG,
    "edges": SmallAlexNet,
}
_DESCRIPTIONS = {
    "digits": "LeNet-5, trained on scikit-learn's handwritten digits (1x32x32).",
    "scenes": "A small residual network, trained on handwritten digits set into photographs (3x64x64).",
    "grass": "The same network, trained on scenes of which every 7 lies on grass: it learned the grass (3x64x64).",
    "plain": "A small network without shortcuts, in the style of VGG, trained on the scenes (3x64x64).",
    "edges": "A small network with a first layer of 64 edges, gratings and blobs of color, trained on the scenes (3x64x64).",
}


@dataclass(frozen=True)
class Sample:
    """A trained network and what one needs to use it.

    Attributes
    ----------
    name : str
        One of `cnnwidgets.samples.NAMES`. The data of "digits" are `cnnwidgets.samples.digits()`, those of "grass"
        ``scenes(biased="grass")``, and those of the others ``scenes()``.
    module : nn.Module
        The network in eval mode: images ``(N, *input_shape)``, preprocessed, to logits ``(N, 10)``.
    classes : tuple of str
    input_shape : tuple of int
        (C, H, W).
    mean, std : tuple of float
        One a channel; preprocessing is ``(pixel / 255 - mean) / std``.
    accuracy : float
        The fraction of the held-out data, 0..1, that these weights name correctly; measured when they were written.
    epoch : int
        How many times the training had seen its data; 0 is the random start.
    epochs : tuple of int
        The epochs that are bundled, rising; the last is the finished network, and the only one of "grass".
    description : str
        One sentence.
    """

    name: str
    module: nn.Module
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    accuracy: float
    epoch: int
    epochs: tuple[int, ...]
    description: str


def sample(name: str, epoch: int | None = None) -> Sample:
    """A bundled network, a fresh object at each call.

    Parameters
    ----------
    name : {"digits", "scenes", "grass", "plain", "edges"}
    epoch : int, optional
        The network as it was after that many epochs; by default the finished one.

    Raises
    ------
    ValueError
        For a name or an epoch that is not bundled.

    Examples
    --------
    >>> scenes = sample("scenes")
    >>> image, label = cnnwidgets.samples.scenes()[0]
    >>> scenes.classes[scenes.module(image[None]).argmax()]
    """
    if not isinstance(name, str) or name not in NAMES:
        raise ValueError(f"no sample is named {name!r}; there are {', '.join(map(repr, NAMES))}")
    epochs = tuple(sorted(int(path.stem.removeprefix(f"{name}-")) for path in WEIGHTS.glob(f"{name}-*.safetensors")))
    if epoch is None:
        epoch = epochs[-1]
    if not isinstance(epoch, int) or epoch not in epochs:
        raise ValueError(f"{name!r} has no weights of epoch {epoch!r}; it has {', '.join(map(str, epochs))}")

    path, last = (WEIGHTS / f"{name}-{one:03}.safetensors" for one in (epoch, epochs[-1]))
    with torch.random.fork_rng(devices=[]):  # the first random weights must not use up the caller's random numbers
        module = _NETWORKS[name]().eval()
    module.load_state_dict(load_file(last) | load_file(path))  # what was frozen stands in the last alone
    with safe_open(path, "pt") as file:
        accuracy = float(file.metadata()["accuracy"])
    data = Digits if name == "digits" else Scenes
    return Sample(
        name, module, data.classes, data.input_shape, data.mean, data.std, accuracy, epoch, epochs, _DESCRIPTIONS[name]
    )
