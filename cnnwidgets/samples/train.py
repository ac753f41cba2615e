"""Train a sample network again: ``python -m cnnwidgets.samples.train digits|scenes|grass|plain|edges [--out FOLDER]``.

It writes the network as it was after some of the epochs, NAME-EPOCH.safetensors, each with its held-out accuracy. The
last is float32, the others are float16 to save room, and so is the only one of "grass"; what is frozen stands in the
last alone. The held-out data choose nothing: no early stop, no best epoch.
"""

import argparse
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset

from cnnwidgets.methods.training import evaluate, train

from .bundle import WEIGHTS
from .datasets import digits, scenes
from .edges import edge_filters
from .networks import LeNet5, SmallAlexNet, SmallResNet, SmallVGG


@dataclass(frozen=True)
class Recipe:
    """What differs between the trainings."""

    network: Callable[[], nn.Module]  # as it is before the first epoch; what needs no gradient is frozen
    epochs: int
    batch: int  # images
    peak: float  # the learning rate's highest value
    train: Callable[[int], Dataset]  # epoch (from 0) -> the images of that epoch
    test: Callable[[], Dataset]
    checkpoints: tuple[int, ...] = (0, 1, 2, 5, 10)  # the epochs that are written beside the last
    last: torch.dtype = torch.float32  # of the last one's file


def jiggled(images: Tensor) -> Tensor:
    """Turn each image of ``(N, C, H, W)`` by up to 12 degrees, scale it by up to 10 %, shift it by up to 1/16."""
    n = len(images)
    angle, scale = uniform(n) * 0.21, 1 + uniform(n) * 0.1
    x, y = uniform(n) / 8, uniform(n) / 8  # the picture runs from -1 to 1
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    affine = torch.stack([cos, -sin, x, sin, cos, y], 1).reshape(n, 2, 3)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def uniform(n: int) -> Tensor:
    """Draw n random numbers between -1 and 1."""
    return torch.rand(n) * 2 - 1


def new_scenes(epoch: int, biased: str | None = None) -> Dataset:
    """12,970 scenes that no other epoch sees; those of epoch 0 are ``scenes("train", biased=biased)``."""
    size = len(scenes("train"))
    return Subset(scenes("train", size * (epoch + 1), biased), range(size * epoch, size * (epoch + 1)))


def with_edges() -> nn.Module:
    """The network of "edges": what photographs taught its first layer is frozen.

    To train it at a tenth of the others' rate would help: after six epochs, with one seed, 94.9 % in place of 92.3 %.
    But its filters would no longer be what photographs taught, nor clean to look at: their cosine with the first ones
    falls to 0.91 in the median, to 0.73 in the least.
    """
    network = SmallAlexNet()
    network.get_parameter("conv1.weight").requires_grad_(False).copy_(edge_filters())
    return network


RECIPES = {
    "digits": Recipe(LeNet5, 60, 32, 0.003, lambda epoch: digits("train"), digits),
    "scenes": Recipe(SmallResNet, 40, 64, 0.006, new_scenes, scenes),
    "grass": Recipe(
        SmallResNet,
        20,
        64,
        0.006,
        lambda epoch: new_scenes(epoch, "grass"),
        lambda: scenes(biased="grass"),
        (),
        torch.float16,
    ),
    "plain": Recipe(SmallVGG, 20, 64, 0.01, new_scenes, scenes),
    "edges": Recipe(with_edges, 26, 64, 0.01, new_scenes, scenes),
}


def batches(dataset: Dataset, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The data set in a new order, each picture jiggled."""
    for images, labels in DataLoader(dataset, size, shuffle=True):
        yield jiggled(images), labels


def train_sample(name: str, out: Path) -> None:
    """Train network `name` from its first random weights to its last epoch, and write its checkpoints to `out`."""
    recipe = RECIPES[name]
    torch.manual_seed(0)
    network = recipe.network()
    steps = len(DataLoader(recipe.train(0), recipe.batch))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.peak, total_steps=recipe.epochs * steps)
    test = recipe.test()

    files = {0: checkpoint(network, test, 0, torch.float16)} if 0 in recipe.checkpoints else {}
    for epoch in range(1, recipe.epochs + 1):
        data = batches(recipe.train(epoch - 1), recipe.batch)
        losses = [step.loss for step in train(network, data, optimizer, schedule)]
        last = epoch == recipe.epochs
        file = checkpoint(network, test, epoch, recipe.last if last else torch.float16)
        if last or epoch in recipe.checkpoints:
            files[epoch] = file
        held_out = file[1]["accuracy"]
        print(f"epoch {epoch:2}  train loss {sum(losses) / steps:.4f}  held-out accuracy {held_out}", flush=True)

    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(f"{name}-*.safetensors"):
        old.unlink()
    for epoch, (weights, metadata) in files.items():
        kept = {key: value for key, value in weights.items() if epoch == recipe.epochs or key not in frozen(network)}
        save_file(kept, out / f"{name}-{epoch:03}.safetensors", metadata)


def frozen(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if not parameter.requires_grad}


def checkpoint(network: nn.Module, test: Dataset, epoch: int, dtype: torch.dtype) -> tuple[dict, dict]:
    """The weights, what is trained rounded to `dtype`, and the epoch and held-out accuracy of the network with these."""
    weights = {
        key: value.to(dtype, copy=True) if value.is_floating_point() and key not in frozen(network) else value.clone()
        for key, value in network.state_dict().items()
    }
    rounded = deepcopy(network).eval()
    rounded.load_state_dict(weights)
    return weights, {"epoch": str(epoch), "accuracy": str(evaluate(rounded, DataLoader(test, 250)).accuracy)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="FOLDER", help="default: the bundled weights")
    arguments = parser.parse_args()
    train_sample(arguments.name, arguments.out)
