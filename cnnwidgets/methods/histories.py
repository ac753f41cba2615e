"""What is kept of a training: its curves, in memory and in a file."""

from __future__ import annotations

import itertools
import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from cnnwidgets.methods.early_stopping import Stop, early_stopping
from cnnwidgets.methods.schedule_groups import shared
from cnnwidgets.net.arguments import KINDS, check
from cnnwidgets.numbers import number, percent


@dataclass(frozen=True, eq=False)
class History:
    """The curves of one training; n steps (batches) of it and e validations.

    Attributes:
        name: the name of its schedule.
        spec: the schedule, see :func:`cnnwidgets.methods.schedule`.
        seed: the random seed.
        rates: float64 (g, n), the learning rate of each step, of each of the optimizer's g groups of parameters.
        loss: float64 (n,), the mean loss of each batch before the step.
        accuracy: float64 (n,), 0 to 1, likewise; NaN where answers are neither right nor wrong.
        ends: int64 (e,), the number of steps done at each validation: an epoch's end, and the end of the training.
        validation_loss: float64 (e,).
        validation_accuracy: float64 (e,), 0 to 1, or NaN.
        snapshot_ends: int64 (m,), the number of steps done when the rate was lowest before each restart, if it restarts.
        snapshot_accuracy: float64 (m,), of the network at each of these moments.
        ensemble_accuracy: float64 (m,), of the average of the probabilities of the first one, two, ... m of them.
        stopped: why it ended early, as in "diverged at step 7 (loss NaN)"; empty if it did not.
    """

    name: str
    spec: dict[str, Any]
    seed: int
    rates: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray
    ends: np.ndarray
    validation_loss: np.ndarray
    validation_accuracy: np.ndarray
    snapshot_ends: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    snapshot_accuracy: np.ndarray = field(default_factory=lambda: np.empty(0))
    ensemble_accuracy: np.ndarray = field(default_factory=lambda: np.empty(0))
    stopped: str = ""

    @property
    def lr(self) -> np.ndarray:
        """float64 (n,), the rate of all groups; a ValueError if they differ."""
        return shared(self.rates, "rates")

    @property
    def epoch_loss(self) -> np.ndarray:
        """float64 (e,), the mean training loss of the steps between two validations."""
        return _means(self.loss, self.ends)

    @property
    def epoch_accuracy(self) -> np.ndarray:
        """float64 (e,), likewise."""
        return _means(self.accuracy, self.ends)

    @property
    def final_accuracy(self) -> float:
        """The last validation's; NaN before the first one."""
        return float(self.validation_accuracy[-1]) if len(self.validation_accuracy) else math.nan

    @property
    def final_loss(self) -> float:
        """The last validation's; NaN before the first one."""
        return float(self.validation_loss[-1]) if len(self.validation_loss) else math.nan

    @property
    def judged(self) -> str:
        """What the last validation says of it, in a sentence."""
        if math.isfinite(self.final_accuracy):
            return f'"{self.name}" reaches {percent(self.final_accuracy)}.'
        return f'"{self.name}" ends with a validation loss of {number(self.final_loss)}.'

    def early_stopping(self, patience: int, min_delta: float = 0.0) -> Stop:
        """Where it would have stopped early, see :func:`cnnwidgets.methods.early_stopping`."""
        return early_stopping(self.validation_loss, patience, min_delta)

    def save(self, path: str | Path) -> None:
        """Write it to a ``.json`` or ``.npz`` file.

        Raises:
            ValueError: the name has another ending.
        """
        save(path, [self])

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Read the first one in a file that :meth:`save`, or that of a race, has written."""
        found, _ = load(path)
        if not found:
            raise ValueError(f"{Path(path).name} holds no training histories")
        return found[0]

    def __repr__(self) -> str:
        return f"<history of {self.name}, seed {self.seed}: {len(self.loss):,} steps, {len(self.ends)} validations>"


HEADS = ("name", "spec", "seed", "stopped")
ARRAYS = tuple(each.name for each in fields(History) if each.name not in HEADS)


def save(path: str | Path, histories: Sequence[History], **about: Any) -> None:
    """Write histories, and what else is to be known about them, to a ``.json`` or ``.npz`` file."""
    path = Path(path)
    heads = [{name: getattr(one, name) for name in HEADS} for one in histories]
    if path.suffix == ".json":
        curves = [{name: _plain(getattr(one, name)) for name in ARRAYS} for one in histories]
        rows = [head | values for head, values in zip(heads, curves, strict=True)]
        path.write_text(json.dumps({"about": about, "histories": rows}, allow_nan=False), "utf-8")
    elif path.suffix == ".npz":
        arrays = {f"{name} {k}": getattr(one, name) for k, one in enumerate(histories) for name in ARRAYS}
        np.savez_compressed(path, heads=np.array(json.dumps({"about": about, "histories": heads})), **arrays)
    else:
        raise ValueError(f"{path.name} is neither a .json nor an .npz file")


def load(path: str | Path) -> tuple[list[History], dict[str, Any]]:
    """The histories in a file that :func:`save` has written, to the last bit, and what else is known about them.

    Raises:
        FileNotFoundError, TypeError: there is no such file, or that is not a path.
        ValueError: the file holds no histories.
    """
    check("path", path, [KINDS["str"], KINDS["Path"]])
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r} (looked in {str(Path.cwd())!r})")
    try:
        if path.suffix == ".npz":
            with np.load(path) as file:
                found = json.loads(str(file["heads"]))
                curves = [{name: file[f"{name} {k}"] for name in ARRAYS} for k in range(len(found["histories"]))]
        else:
            found = json.loads(path.read_text("utf-8"))
            curves = [{name: _array(name, row[name]) for name in ARRAYS} for row in found["histories"]]
        return [
            History(**{name: row[name] for name in HEADS}, **values)
            for row, values in zip(found["histories"], curves, strict=True)
        ], found["about"]
    except (KeyError, TypeError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path.name} holds no training histories ({error})") from error


def _plain(values: np.ndarray) -> list:
    """As JSON can carry it: NaN and infinities become words."""
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [value if math.isfinite(value) else str(value) for value in values.tolist()]


def _array(name: str, values: list) -> np.ndarray:
    if name == "rates":
        return np.array([[float(value) for value in row] for row in values])
    return np.array([float(value) for value in values]).astype(np.int64 if name.endswith("ends") else float)


def _means(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    return np.array([values[start:end].mean() for start, end in itertools.pairwise([0, *ends])])
