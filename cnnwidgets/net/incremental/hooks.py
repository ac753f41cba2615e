"""Hooks of the user, and modules whose own forward pass was replaced: they count as part of the network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.nn.modules import module as every_module
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from cnnwidgets.net.incremental.refusals import NoWindows

_OF_WEIGHTS: tuple[Any, ...] = (WeightNorm, SpectralNorm, BasePruningMethod)


def computes_as(module: nn.Module | None, kinds: Iterable[type]) -> bool:
    """Whether a module does what its class does, of which there are some kinds, and nothing besides."""
    return (
        module is not None and type_before_parametrizations(module) in kinds and not is_hooked(module) and not is_own(module)
    )


def is_own(module: nn.Module) -> bool:
    """Whether the module has a forward pass of its own, in place of its class's."""
    return "forward" in vars(module)


def is_hooked(module: nn.Module) -> bool:
    """Whether anything sees, or changes, what goes into the module and what comes out of it."""
    before = module._forward_pre_hooks.values()
    return bool(module._forward_hooks) or not all(isinstance(hook, _OF_WEIGHTS) for hook in before)


def compute_weights(network: nn.Module) -> None:
    """Let pruned and normed layers compute their weights, as they do at the beginning of every pass."""
    for module in network.modules():
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, _OF_WEIGHTS):
                hook(module, ())


def refuse_hooks_of_all() -> None:
    """Raise NoWindows where something sees the calls of every module that there is."""
    if every_module._global_forward_hooks or every_module._global_forward_pre_hooks:
        raise NoWindows("a hook is called for every module")


class Before(nn.Module):
    """The hooks of a module that see what goes into it: the arguments (by position, then by name) in, the same out."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]):
        super().__init__()
        self._of = (module, names)  # in a tuple it is no part

    def forward(self, *given: Any) -> list[Any]:
        module, names = self._of
        count = len(given) - len(names)
        args, kwargs = given[:count], dict(zip(names, given[count:], strict=True))
        for key, hook in module._forward_pre_hooks.items():
            if key in module._forward_pre_hooks_with_kwargs:
                args, kwargs = hook(module, args, kwargs) or (args, kwargs)
            elif (found := hook(module, args)) is not None:
                args = found if isinstance(found, tuple) else (found,)
        if len(args) != count or tuple(kwargs) != names:
            raise NoWindows("a hook gives a module other arguments than it was called with")
        return [*args, *kwargs.values()]


class After(nn.Module):
    """The hooks of a module that see what comes out of it: that and the module's arguments in, what they make of it out."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self._of = (module,)

    def forward(self, output: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        (module,) = self._of
        for key, hook in module._forward_hooks.items():
            named = (kwargs,) if key in module._forward_hooks_with_kwargs else ()
            found = hook(module, tuple(args), *named, output)
            output = output if found is None else found
        return output
