"""Small networks to test on, and the independent ways to look at one: hooks that copy, a record of all its parts."""

from __future__ import annotations

import pickle
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrize import is_parametrized
from torch.overrides import TorchFunctionMode


class LeNet5(nn.Module):
    """The dense LeNet-5, its ReLUs, pooling and flattening written as functions."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Residual(nn.Module):
    """What makes tracing hard, in one small net: a shared in-place ReLU, ``+=``, ``+``, cat, batch norm, dropout."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.conv2(x)
        y += x
        y = self.relu(y)
        x = torch.cat([x + y, F.relu(y)], 1)
        return self.fc(self.drop(x).mean((2, 3)))


class Function(nn.Module):
    """A function as a module without parameters of its own."""

    def __init__(self, function, **parts: nn.Module):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def twins() -> dict[str, nn.Module]:
    """The same network with its ReLUs written in five ways."""
    torch.manual_seed(0)
    first, second, last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3), nn.Linear(6, 5)

    def net(relu1, relu2):
        return Function(
            lambda self, x: self.last(relu2(self)(self.second(relu1(self)(self.first(x)))).mean((2, 3))),
            first=first,
            second=second,
            last=last,
            one=nn.ReLU(),
            other=nn.ReLU(),
            in_place=nn.ReLU(inplace=True),
        )

    return {
        "module": net(lambda self: self.one, lambda self: self.other),
        "in place": net(lambda self: self.in_place, lambda self: self.in_place),
        "shared": net(lambda self: self.one, lambda self: self.one),
        "F.relu": net(lambda self: F.relu, lambda self: F.relu),
        "F.relu_": net(lambda self: F.relu_, lambda self: F.relu_),
    }


class WithoutInit(TorchFunctionMode):
    """Modules built inside get no random initial values, which take longer than anything else that is tested here."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init" or func.__name__ in ("normal_", "uniform_"):
            tensor = args[0] if args else kwargs["tensor"]
            tensor.detach().zero_()
            return tensor
        return func(*args, **kwargs)


def cheap(build, **options) -> nn.Module:
    """A torchvision model with random weights of unit gain, built fast."""
    with WithoutInit():
        model = build(**options).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            gain = (3 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.uniform_(-gain, gain, generator=generator)
        for part in model.modules():
            if isinstance(part, (nn.BatchNorm2d, nn.LayerNorm)):
                part.weight.fill_(1)
    return model


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that make one call: those made of no others, and attention and parametrized modules as a whole."""
    whole = [
        name for name, part in model.named_modules() if isinstance(part, nn.MultiheadAttention) or is_parametrized(part)
    ]
    inside = tuple(f"{name}." for name in whole)
    return {
        name: part
        for name, part in model.named_modules()
        if name in whole or (not name.startswith(inside) and not any(True for _ in part.children()))
    }


def maps_by_hooks(model: nn.Module, images: torch.Tensor, copy=torch.clone) -> dict[str, list[torch.Tensor]]:
    """What each leaf module gives, one entry a call, recorded by forward hooks; the model is in evaluation mode."""
    found = defaultdict(list)
    handles = []
    for name, part in leaves(model).items():

        def record(module, args, output, name=name):
            output = output[0] if isinstance(output, tuple) else output
            found[name].append(copy(output))

        handles.append(part.register_forward_hook(record))
    with torch.no_grad():
        model(images.clone())
    for handle in handles:
        handle.remove()
    return found


def everything(model: nn.Module, values: bool = True) -> dict:
    """All that a bound network must leave as it is, as plain objects that can be compared."""
    tensors = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    return {
        "modules": [(name, id(part), getattr(part, "training", None)) for name, part in model.named_modules()],
        "attributes": {name: sorted(vars(part)) for name, part in model.named_modules()},
        "hooks": {
            (name, kind): dict(hooks)
            for name, part in model.named_modules()
            for kind, hooks in vars(part).items()
            if "hooks" in kind
        },
        "global hooks": {kind: dict(v) for kind, v in vars(nn.modules.module).items() if kind.endswith("_hooks")},
        "buffers": {
            name: ({key: id(buffer) for key, buffer in part._buffers.items()}, sorted(part._non_persistent_buffers_set))
            for name, part in model.named_modules()
        },
        "tensors": {name: (id(t), t.requires_grad, t._version if not values else _bytes(t)) for name, t in tensors},
        "grads": {name: (id(t.grad), _bytes(t.grad)) for name, t in tensors if t.grad is not None},
        "random": [_bytes(torch.get_rng_state()), pickle.dumps(np.random.get_state()), random.getstate()],
        "modes": (torch.is_grad_enabled(), torch._C._len_torch_function_stack(), torch.get_default_dtype()),
    }


@contextmanager
def unchanged(model: nn.Module, values: bool = True) -> Iterator[None]:
    before = everything(model, values)
    yield
    after = everything(model, values)
    for part in before:
        assert after[part] == before[part], part


class CancelAt:
    """Like an event that gets set just before it is asked for the n-th time."""

    def __init__(self, ask: int):
        self.ask, self.asked = ask, 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > self.ask


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
