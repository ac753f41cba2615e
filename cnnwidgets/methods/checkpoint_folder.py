"""A training's checkpoints in a folder: one safetensors file each, up to a fixed number. Reading one runs no code."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cnnwidgets.net.arguments import said

MOST = 16
"""Checkpoints that a folder holds at most."""

UNKNOWN_EPOCH = 100
"""Steps between two checkpoints where the length of an epoch is not known."""

KIND, VERSION = "checkpoint of a training, by cnnwidgets", 1
"""What a file says of itself; a later version may say more than this one can read."""


class CheckpointFile(NamedTuple):
    """A checkpoint in a folder.

    Attributes:
        path: of its file.
        step: steps of the optimizer that the training had made.
        epoch_steps: steps that make an epoch; 0 where that is not known.
    """

    path: Path
    step: int
    epoch_steps: int

    @property
    def name(self) -> str:
        """``epoch 3``, or ``step 120`` where it lies between two epochs."""
        epochs, rest = divmod(self.step, self.epoch_steps) if self.epoch_steps else (0, self.step)
        return f"step {self.step}" if rest else f"epoch {epochs}"

    def read(self) -> dict[str, Tensor]:
        """Parameters and buffers, by their names."""
        return load_file(self.path)


class CheckpointWriter:
    """Keeps checkpoints of a network that trains: the first weights, some along the way, evenly spaced, and the last.

    When there are more than :data:`MOST`, every second one is deleted, and the interval doubles: the folder does not grow
    with the training. A disk that cannot be written to ends the checkpoints, not the training.

    Parameters:
        network: whose weights are written.
        folder: is made; holds no checkpoints yet.
        every: steps between two; None: an epoch.
        epoch_steps: steps that make an epoch; None where that is not known.

    Attributes:
        kept: numbers of the steps after which there are checkpoints, rising.

    Raises:
        ValueError: the folder holds checkpoints of another training, or the network holds what such a file cannot.
    """

    def __init__(self, network: nn.Module, folder: str | Path, every: int | None, epoch_steps: int | None):
        self.folder, self.kept = Path(folder), list[int]()
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"checkpoints is {str(folder)!r}, which is a file; expected a folder")
        if there := len([*self.folder.glob("*.safetensors")]):
            raise ValueError(
                f"the folder {str(folder)!r} holds {there} checkpoint{'s' * (there > 1)} of another training: "
                "delete them, or choose another folder"
            )
        for name, value in network.state_dict().items():
            if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
                raise ValueError(f"{name} is {said(value)}, which a checkpoint cannot hold; expected a dense tensor")
        self._network, self._epoch_steps = network, epoch_steps
        self._every, self._is_told = every or epoch_steps or UNKNOWN_EPOCH, bool(every or epoch_steps)
        self._failed = False

    def step(self, step: int) -> None:
        """So many steps were made: keep the weights, if it is time."""
        if step % self._every == 0:
            self.keep(step)

    def epoch(self, step: int) -> None:
        """An epoch has ended after so many steps: the first one tells, where nobody has, how many lie between two."""
        if self._is_told or not step:
            return
        self._is_told, self._every, self._epoch_steps = True, step, step
        self._drop(self.kept[1:])
        self.keep(step)

    def keep(self, step: int) -> None:
        """Keep the weights as they are after so many steps."""
        if self._failed or step in self.kept:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(step)
            self.kept.append(step)
            if len(self.kept) > MOST:
                self._every *= 2
                self._drop(self.kept[1::2])
        except (OSError, SafetensorError) as error:
            self._failed = True
            warnings.warn(f"no more checkpoints are kept in {str(self.folder)!r}: {error}", stacklevel=2)

    @property
    def sentence(self) -> str:
        """What is kept, and where."""
        size = sum(self._path(step).stat().st_size for step in self.kept if self._path(step).exists())
        count = len(self.kept)
        return f"{count} checkpoint{'s' * (count != 1)} in {str(self.folder)!r}, {size / 1e6:.1f} MB"

    def _write(self, step: int) -> None:
        weights = {
            name: value.detach().to("cpu", copy=True).contiguous() for name, value in self._network.state_dict().items()
        }
        about = {"kind": KIND, "version": str(VERSION), "step": str(step), "epoch_steps": str(self._epoch_steps or 0)}
        fresh = self._path(step).with_suffix(f".{os.getpid()}.part")
        try:
            save_file(weights, fresh, about)
            fresh.replace(self._path(step))  # as a whole: whoever is killed meanwhile leaves no half of it
        finally:
            fresh.unlink(missing_ok=True)

    def _drop(self, steps: list[int]) -> None:
        for step in steps:
            self._path(step).unlink(missing_ok=True)
        self.kept = [step for step in self.kept if step not in steps]

    def _path(self, step: int) -> Path:
        return self.folder / f"{step:09}.safetensors"


def checkpoint_files(folder: str | Path) -> list[CheckpointFile]:
    """The checkpoints in a folder, in the order of the training.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no checkpoints, or a file that is not one or was written by a later version of this library.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder)!r} (looked in {str(Path.cwd())!r})")
    found = sorted(map(_about, folder.glob("*.safetensors")), key=lambda one: one.step)
    if not found:
        raise ValueError(
            f"the folder {str(folder)!r} holds no checkpoints; expected what cw.monitor(..., checkpoints=) writes"
        )
    epoch_steps = max(one.epoch_steps for one in found)  # the first ones may not know it yet
    return [one._replace(epoch_steps=epoch_steps) for one in found]


def _about(path: Path) -> CheckpointFile:
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path.name} is not a readable checkpoint ({error}): delete it to read the others") from None
    if about.get("kind") != KIND:
        raise ValueError(f"{path.name} was not written by cw.monitor; expected a folder that holds only its checkpoints")
    if int(about["version"]) > VERSION:
        raise ValueError(
            f"{path.name} is of version {about['version']}, and this cnnwidgets reads version {VERSION}: update it"
        )
    return CheckpointFile(path, int(about["step"]), int(about["epoch_steps"]))
