"""A network's double, which is run in its place: it shares the weights' memory, and nothing else.

Whatever a forward pass leaves behind (statistics, counters, stored maps, hooks of ours) it leaves at the double. So a
training that goes on in the next cell is not disturbed, and an interrupt finds nothing to put back.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from cnnwidgets.net.locks import ITSELF, Lock
from cnnwidgets.net.no_trace import no_trace, without_inference_tensors
from cnnwidgets.net.state import State

TRIES = 3
"""How often a network is copied that somebody changes meanwhile."""


class CannotReplicate(ValueError):
    """A network has no double that would compute what it computes; the message says why."""


class Replica:
    """The double of a module, in evaluation mode; it follows what becomes of the module's weights and buffers.

    Parameters:
        original: the module.
        snapshot: whether the double has weights of its own, as they are now.

    Attributes:
        module: the double.
        waited_for: what a thread waits for that runs it: nothing, for where another thread runs it, it gets a spare one.
        note: a sentence for the reader; there is none, because a double computes what its original does.

    Raises:
        CannotReplicate: the module, or something that it holds, cannot be copied.
    """

    note = ""

    def __init__(self, original: nn.Module, *, snapshot: bool = False):
        self._original, self._snapshot = original, snapshot
        self.waited_for: AbstractContextManager[Any] = nullcontext()
        self._in_use = Lock()  # by the thread that runs it
        self._spares: list[Replica] = []
        with torch.inference_mode(False), torch.no_grad():
            self._seen, self.module = _copied(original, not snapshot)
            self.module.eval()
            weights = [*zip(original.parameters(), self.module.parameters(), strict=True)]
            self._shared = [theirs for theirs, mine in weights if _place(theirs) == _place(mine)]
            self._places = [*map(_place, self._shared)]
        self._state = State(self.module)
        self._homes = [*_homes(original, self.module)]
        self._depth = 0

    @property
    def foreign(self) -> dict[int, Tensor]:
        """The original's tensors, by their ids: what computes with one of them is no part of the double."""
        return self._seen.tensors

    def is_current(self, original: nn.Module) -> bool:
        """Whether the original still is made of what was copied, and its weights are where they were."""
        if original is not self._original or not self._seen.is_same():
            return False
        return [*map(_place, self._shared)] == self._places

    @contextmanager
    def running(self) -> Iterator[nn.Module]:
        """Inside, the double, or a spare one, may be run by this thread.

        It begins with the original's buffers, and forgets what it has learned.
        """
        if self._in_use.acquire(blocking=self._snapshot):
            try:
                with self._run() as module:
                    yield module
            finally:
                self._in_use.release()
            return
        spare = self._spare()
        with spare.running() as module:
            yield module
        self._spares.append(spare)

    def _spare(self) -> Replica:
        """Another double, which no other thread has; those that were made of something else by now are dropped."""
        while self._spares:
            try:
                spare = self._spares.pop()
            except IndexError:  # the last one was taken meanwhile
                break
            if spare.is_current(self._original):
                return spare
        with ITSELF:
            return Replica(self._original)

    @contextmanager
    def _run(self) -> Iterator[nn.Module]:
        if not self._depth:  # within a pass whose graph is kept, what it has saved must not change
            self._take_over_buffers()
        self._depth += 1
        try:
            yield self.module
        finally:
            self._depth -= 1
            if not self._depth:
                self._state.put_back()

    def _take_over_buffers(self) -> None:
        sources, targets = [], []
        for theirs, mine in self._homes:
            for name, value in [*theirs.items()]:
                if not isinstance(value, Tensor) or isinstance(value, nn.Parameter):
                    continue
                if (held := mine.get(name)) is not None and _fits(value, held):
                    sources.append(value.detach())
                    targets.append(held)
                else:
                    mine[name] = _cloned(value)
        if targets:
            with torch.inference_mode(False), torch.no_grad():
                _copy_all(targets, sources)


def _copy_all(targets: list[torch.Tensor], sources: list[torch.Tensor]) -> None:
    """Copy into tensors from others, at once where this torch can."""
    if hasattr(torch, "_foreach_copy_"):
        torch._foreach_copy_(targets, sources)
        return
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)


class Borrowed:
    """The module itself, run in the place of a double that cannot be made, and put back every time.

    Attributes: as of :class:`Replica`.
    """

    waited_for = ITSELF

    def __init__(self, original: nn.Module, reason: Exception | str):
        self.module, self._seen, self.foreign = original, State(original), {}  # type: ignore[var-annotated]
        self.note = (
            f"this network cannot be copied ({reason}): it is run itself and put back afterwards, "
            "so do not train it while a panel computes"
        )

    def is_current(self, original: nn.Module) -> bool:
        return original is self.module and self._seen.is_same()

    @contextmanager
    def running(self) -> Iterator[nn.Module]:
        with no_trace(self.module), without_inference_tensors(self.module):
            yield self.module


def duplicate(original: nn.Module) -> nn.Module:
    """A copy of a module with weights of its own, also of one that ``copy.deepcopy`` refuses.

    What a network holds that every pass computes anew (the weight of a pruned or a weight-normed layer, a map that is kept)
    is copied as it is by now.

    Raises:
        CannotReplicate: a ValueError: the module, or something that it holds, cannot be copied.
    """
    with torch.inference_mode(False), torch.no_grad():  # a scripted network's weights would be computed from the others
        twin = _copied(original, share_weights=False)[1]
    for mine, theirs in zip(twin.parameters(), original.parameters(), strict=True):
        mine.requires_grad_(theirs.requires_grad)
    return twin


def replicate(original: nn.Module) -> Replica | Borrowed:
    """A module's double, or the module itself where it has none."""
    try:
        return Replica(original)
    except CannotReplicate as reason:
        return Borrowed(original, reason)


def _copied(original: nn.Module, share_weights: bool) -> tuple[State, nn.Module]:
    """A copy, and what the original was made of at that time."""
    for _ in range(TRIES):
        seen = State(original)
        seen.tensors |= {id(tensor): tensor for tensor in (*original.parameters(), *original.buffers())}
        memo = {id(held): held for held in seen.apart}
        memo |= {key: _twin(tensor, share_weights) for key, tensor in seen.tensors.items()}
        try:
            double = copy.deepcopy(original, memo)
        except Exception as error:
            if not seen.is_same():
                continue
            raise CannotReplicate(f"{type(error).__name__}: {error}") from error
        if not isinstance(double, nn.Module) or len([*_parts(double)]) != len([*_parts(original)]):
            raise CannotReplicate("its own __deepcopy__ gives something else")
        if share_weights:
            _share(original, double)
        for part in _parts(double):
            for name, child in part._modules.items():
                part._modules[name] = None if child is None else uncompiled(child)  # whose len() may be refused
        if seen.is_same():
            return seen, double
    raise CannotReplicate("its parts change all the time")


def _twin(tensor: Tensor, share: bool) -> Tensor:
    if not isinstance(tensor, nn.Parameter):
        return _cloned(tensor)
    data = tensor.detach() if share and not tensor.is_inference() else tensor.detach().clone()
    twin = nn.Parameter(data, requires_grad=tensor.requires_grad)  # it counts changes with the original: autograd notices
    vars(twin).update(vars(tensor))
    return twin


def _cloned(tensor: Tensor) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _share(original: nn.Module, double: nn.Module) -> None:
    """Let weights that were copied in spite of the memo, those of scripted modules, lie in the original's memory."""
    for theirs, mine in zip(original.parameters(), double.parameters(), strict=True):
        if _place(theirs) != _place(mine) and not theirs.is_inference():
            mine.data = theirs.data


def _homes(original: nn.Module, double: nn.Module) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Where tensors that are no weights are kept, part by part: in the original, in the double."""
    for theirs, mine in zip(_parts(original), _parts(double), strict=True):
        if isinstance(theirs, torch.jit.ScriptModule):
            names = [name for name, _ in theirs.named_buffers(recurse=False)]
            yield {name: getattr(theirs, name) for name in names}, {name: getattr(mine, name) for name in names}
            continue
        if theirs._buffers:
            yield theirs._buffers, mine._buffers  # type: ignore[misc]
        if any(isinstance(value, Tensor) for value in vars(theirs).values()):
            yield vars(theirs), vars(mine)


def uncompiled(module: Any) -> nn.Module:
    """The module that ``torch.compile`` has wrapped, else the module itself."""
    return uncompiled(module._orig_mod) if type(module).__name__ == "OptimizedModule" else module  # torch._dynamo: 2 s


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    return (part for part in module.modules() if uncompiled(part) is part)


def _place(tensor: Tensor) -> int:
    try:
        return tensor.data_ptr()
    except RuntimeError:  # a tensor that is made of others
        return id(tensor)


def _fits(tensor: Tensor, other: Tensor) -> bool:
    return tensor.shape == other.shape and tensor.dtype == other.dtype and tensor.device == other.device
