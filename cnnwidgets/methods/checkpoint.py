"""A scan's checkpoint: one file from which a killed run goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnwidgets.methods.parts import Job
from cnnwidgets.methods.state_files import bytes_of, digest, pack, read, write


class Checkpoint:
    """Where a scan stands: the state of its reducers, what was seen and skipped.

    Raises:
        TypeError: a reducer holds what a file cannot.
        ValueError: there is a file, and it is of another scan or none.
    """

    def __init__(self, path: str | Path, job: Job):
        self.path, self.scan = Path(path), _identity(job)

    def read(self) -> dict[str, Any] | None:
        """What was written last; None if there is no file."""
        if not self.path.exists():
            return None
        try:
            found = read(self.path)
            before = found["scan"]
        except Exception as error:
            raise ValueError(f"{str(self.path)!r} is not a readable checkpoint of a scan ({error})") from error
        other = [what for what in self.scan if before.get(what) != self.scan[what]]
        if other:
            raise ValueError(
                f"the checkpoint {str(self.path)!r} is of another scan, with other {' and '.join(other)}: "
                "delete it, or give another path"
            )
        return found

    def write(self, *, reducers: Sequence[Any], **state: Any) -> None:
        """Replace the file as a whole: whoever is killed meanwhile leaves the one before."""
        states = [pack(state_of(reducer), type(reducer).__name__) for reducer in reducers]
        write(self.path, {"scan": self.scan, "reducers": states, **state})


def state_of(reducer: Any) -> dict[str, Any]:
    """What a reducer has gathered: its ``state()``, or its attributes."""
    return reducer.state() if hasattr(reducer, "state") else dict(vars(reducer))


def restore(reducer: Any, state: dict[str, Any]) -> None:
    """Give a fresh reducer what :func:`state_of` gave."""
    if hasattr(reducer, "restore"):
        reducer.restore(state)
    else:
        vars(reducer).update(state)


def _identity(job: Job) -> dict[str, Any]:
    """What two runs must have in common, in words and check sums; of the data set only the numbers of its items."""
    return {
        "network": check_sum(job.net.module),
        "preprocessing": [repr(job.net.input_shape), _plain_repr(job.net.preprocess)],
        "pictures": hashlib.sha256(job.loader.order.tobytes()).hexdigest(),
        "outputs": job.net.output.kind,
        "batch size": job.loader.batch_size,
        "reducers": [f"{type(one).__qualname__} {digest(pack(state_of(one), type(one).__name__))}" for one in job.reducers],
    }


def check_sum(module: nn.Module) -> str:
    """Of what a network is made of, and of its weights."""
    weights = hashlib.sha256(repr(module).encode())
    for name, tensor in module.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            weights.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            weights.update(bytes_of(tensor))
    return weights.hexdigest()


def _plain_repr(thing: Any) -> str:
    """A repr without the address in memory, which another run has elsewhere."""
    return type(thing).__qualname__ if " at 0x" in repr(thing) else repr(thing)
