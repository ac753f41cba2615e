"""Something small to learn: two classes of pictures 1x2x2, a network of 42 weights, and the loop of a lecture."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def pictures(size: int = 40, seed: int = 0) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, 1, 2, 2, generator=generator)
    return TensorDataset(x, (x.sum((1, 2, 3)) + torch.randn(size, generator=generator) > 0).long())


class Net(nn.Sequential):
    """Has what training must take care of: a batch norm's buffers, and a dropout's chance."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.3), nn.Linear(5, 2))


def net(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Net()


def loader(shuffle: bool = True, **options) -> DataLoader:
    return DataLoader(pictures(), batch_size=16, shuffle=shuffle, **options)


def others() -> DataLoader:
    return DataLoader(pictures(30, seed=1), batch_size=16)


def lecture(model, batches, optimizer, scheduler=None, criterion=F.cross_entropy) -> list[tuple]:
    """An epoch as a lecture writes it: (loss, accuracy, each group's rate, size) of every step."""
    model.train()
    log = []
    for x, y in batches:
        optimizer.zero_grad()
        output = model(x)
        loss = criterion(output, y)
        loss.backward()
        rates = tuple(group["lr"] for group in optimizer.param_groups)
        optimizer.step()
        if scheduler:
            scheduler.step()
        log.append((loss.item(), (output.argmax(1) == y).sum().item() / len(y), rates, len(y)))
    return log


def judged(model, batches) -> tuple[float, float]:
    """Loss and accuracy in evaluation mode; the model is left in training mode."""
    model.eval()
    with torch.no_grad():
        found = [(model(x), y) for x, y in batches]
    model.train()
    output, y = torch.cat([a for a, _ in found]), torch.cat([b for _, b in found])
    return F.cross_entropy(output, y).item(), (output.argmax(1) == y).sum().item() / len(y)


def record(model: nn.Module) -> list:
    """All of a model, to the last bit: weights and buffers, gradients, modes."""
    return [
        {name: (value.dtype, value.shape, value.numpy().tobytes()) for name, value in model.state_dict().items()},
        [None if p.grad is None else p.grad.numpy().tobytes() for p in model.parameters()],
        [module.training for module in model.modules()],
    ]
