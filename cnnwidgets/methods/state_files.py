"""What is to be gone on with, in one file that is replaced as a whole. Reading it runs no code."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

NUMPY = "numpy array"
"""Key under which a tensor in the file stands for an array."""

BYTES = "bytes as a tensor"
"""The same for bytes, which torch 2.4 does not read."""


def read(path: Path) -> Any:
    """What :func:`write` wrote."""
    return _unpack(torch.load(path, weights_only=True))


def write(path: Path, state: Any) -> None:
    """Replace a file by what :func:`pack` gave: whoever is killed meanwhile leaves the one before."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with fresh.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def pack(value: Any, owner: str) -> Any:
    """Arrays as tensors, the rest as it is: only what ``torch.load`` reads without running code."""
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc":
        return {NUMPY: torch.from_numpy(np.array(value, value.dtype.newbyteorder("=")))}
    if isinstance(value, dict):
        return {key if isinstance(key, bytes) else pack(key, owner): pack(one, owner) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(pack(one, owner) for one in value)
    if isinstance(value, bytes):
        return {BYTES: torch.tensor(list(value), dtype=torch.uint8)}
    if value is None or isinstance(value, (bool, int, float, str, torch.Tensor)):
        return value
    raise TypeError(
        f"{owner} holds a {type(value).__name__}, which a checkpoint cannot: keep numbers, strings, arrays, tensors, "
        "lists and dicts of them as attributes, or give it state() and restore(state)"
    )


def _unpack(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {NUMPY}:
            return value[NUMPY].numpy()
        if value.keys() == {BYTES}:
            return value[BYTES].numpy().tobytes()
        return {key: _unpack(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_unpack(one) for one in value)
    return value


def digest(value: Any) -> str:
    """A check sum of a packed state."""
    if isinstance(value, torch.Tensor):
        value = (str(value.dtype), tuple(value.shape), hashlib.sha256(bytes_of(value)).hexdigest())
    elif isinstance(value, dict):
        value = [(str(key), digest(one)) for key, one in value.items()]
    elif isinstance(value, (list, tuple)):
        value = [digest(one) for one in value]
    return hashlib.sha256(repr(value).encode()).hexdigest()


def bytes_of(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().view(-1, 1).view(torch.uint8).numpy().data  # a row of none has no stride
