"""The files of histories: JSON and NPZ, to the last bit; CSV of curves, our own and that of Lightning's CSVLogger."""

from __future__ import annotations

import csv
import json
import math
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from cnnwidgets.net.arguments import KINDS, check

if TYPE_CHECKING:
    from cnnwidgets.methods.histories import History

HEADS = ("name", "spec", "seed", "stopped")
ARRAYS = (
    *("rates", "loss", "accuracy", "ends", "validation_loss", "validation_accuracy"),
    *("snapshot_ends", "snapshot_accuracy", "ensemble_accuracy"),
)

LOSS, ACCURACY, RATE = ("loss",), ("acc", "accuracy"), ("lr", "rate")
VALIDATION = ("val", "valid", "validation")
"""Words in the name of a column, whatever stands between them."""

VERSION = 1
"""Of the files; one without a version has the first."""

SPOILT = (LookupError, AttributeError, TypeError, ValueError, ArithmeticError, EOFError, RecursionError, MemoryError)
"""What comes up where a file is not what it should be."""


def save(path: str | Path, histories: Sequence[History], **about: Any) -> None:
    """Write histories, and what else is to be known about them, to a ``.json`` or ``.npz`` file; or one to a ``.csv``."""
    path = Path(path)
    heads = [{name: getattr(one, name) for name in HEADS} | {"measures": _measures(one)} for one in histories]
    if path.suffix == ".json":
        curves = [{name: _plain(getattr(one, name)) for name in ARRAYS} for one in histories]
        rows = [head | values for head, values in zip(heads, curves, strict=True)]
        path.write_text(json.dumps({"version": VERSION, "about": about, "histories": rows}, allow_nan=False), "utf-8")
    elif path.suffix == ".npz":
        arrays = {f"{name} {k}": getattr(one, name) for k, one in enumerate(histories) for name in ARRAYS}
        found = {"version": VERSION, "about": about, "histories": heads}
        np.savez_compressed(path, heads=np.array(json.dumps(found)), **arrays)
    elif path.suffix == ".csv" and len(histories) == 1 and not about:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(_rows(histories[0]))
    else:
        raise ValueError(f"{path.name} is neither a .json nor an .npz file" + (" (a .csv holds one history)" * bool(about)))


def load(path: str | Path) -> tuple[list[History], dict[str, Any]]:
    """The histories in a file that :func:`save` has written, to the last bit, and what else is known about them.

    Raises:
        FileNotFoundError, TypeError: there is no such file, or that is not a path.
        ValueError: the file holds no histories.
    """
    from cnnwidgets.methods.histories import History

    check("path", path, [KINDS["str"], KINDS["Path"]])
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r} (looked in {str(Path.cwd())!r})")
    try:
        if path.suffix == ".csv":
            return [_of_csv(path)], {}
        if path.suffix == ".npz":
            with np.load(path) as file:
                found = _in_our_version(json.loads(str(file["heads"])))
                curves = [{name: file[f"{name} {k}"] for name in ARRAYS} for k in range(len(found["histories"]))]
        else:
            found = _in_our_version(json.loads(path.read_text("utf-8")))
            curves = [{name: _array(name, row[name]) for name in ARRAYS} for row in found["histories"]]
        return [
            History(
                **{name: row[name] for name in HEADS},
                measures={name: _array(name, values) for name, values in row["measures"].items()},
                **values,
            )
            for row, values in zip(found["histories"], curves, strict=True)
        ], found["about"]
    except (*SPOILT, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path.name} holds no training histories ({error})") from error


def _in_our_version(found: dict[str, Any]) -> dict[str, Any]:
    version = found.get("version", VERSION)
    if version > VERSION:
        raise ValueError(f"it is of version {version}, and this cnnwidgets reads version {VERSION}: update it")
    return found


def _measures(one: History) -> dict[str, list]:
    return {name: _plain(values) for name, values in one.measures.items()}


def _plain(values: np.ndarray) -> list:
    """As JSON can carry it: NaN and infinities become words."""
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [value if math.isfinite(value) else str(value) for value in values.tolist()]


def _array(name: str, values: list) -> np.ndarray:
    if name == "rates":
        return np.array([[float(value) for value in row] for row in values])
    return np.array([float(value) for value in values]).astype(np.int64 if name.endswith("ends") else float)


# CSV


def _rows(one: History) -> Iterable[list[Any]]:
    """A header, and one row per step; what was validated stands in the row of the step before."""
    rates = ["lr"] if len(one.rates) == 1 else [f"lr-{k}" for k in range(len(one.rates))]
    measured = [f"val_{name}" for name in one.measures]
    yield ["epoch", "step", *rates, "loss", "accuracy", "val_loss", "val_accuracy", *measured]
    at = {int(end) - 1: epoch for epoch, end in enumerate(one.ends)}
    validated = [one.validation_loss, one.validation_accuracy, *one.measures.values()]
    for step in range(len(one.loss)):
        epoch = int(np.searchsorted(one.ends, step, side="right"))
        told = [values[at[step]] for values in validated] if step in at else [""] * len(validated)
        yield [
            epoch,
            step,
            *map(_text, one.rates[:, step]),
            _text(one.loss[step]),
            _text(one.accuracy[step]),
            *map(_text, told),
        ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(float(value))


def _of_csv(path: Path) -> History:
    """The curves in a table of one row per step, or per logged moment."""
    from cnnwidgets.methods.histories import History

    with path.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    columns = [*(rows[0] if rows else ())]
    words = {column: re.findall("[a-z]+", column.lower()) for column in columns}

    def named(kind: Sequence[str], validation: bool) -> list[str]:
        some = [name for name in columns if {*words[name]} & {*kind} and bool({*words[name]} & {*VALIDATION}) == validation]
        return sorted(some, key=lambda name: "epoch" in words[name])  # of each step, before means of an epoch

    losses, accuracies, rates = named(LOSS, False), named(ACCURACY, False), named(RATE, False)
    judged, right = named(LOSS, True), named(ACCURACY, True)
    if not judged:
        raise ValueError("no column is a validation loss, such as val_loss")
    is_step = np.array([bool(losses and row[losses[0]]) for row in rows])
    steps = [rows[k] for k in np.flatnonzero(is_step)]
    at = [k for k, row in enumerate(rows) if row[judged[0]]]
    done = np.cumsum(is_step)
    measured = [name for name in columns if name.startswith("val_") and name not in (*judged, *right)]
    name = path.parent.name if path.stem == "metrics" else path.stem
    return History(
        name,
        {},
        0,
        rates=np.array([_filled(rows, column) for column in rates] or [[math.nan] * len(rows)])[:, is_step],
        loss=_numbers(steps, losses),
        accuracy=_numbers(steps, accuracies),
        ends=done[at].astype(np.int64),
        validation_loss=_numbers([rows[k] for k in at], judged),
        validation_accuracy=_numbers([rows[k] for k in at], right),
        measures={column.removeprefix("val_"): _numbers([rows[k] for k in at], [column]) for column in measured},
    )


def _numbers(rows: Sequence[dict[str, str]], columns: Sequence[str]) -> np.ndarray:
    return np.array([float(row[columns[0]] or "nan") if columns else math.nan for row in rows])


def _filled(rows: Sequence[dict[str, str]], column: str) -> list[float]:
    """A column's numbers; where there is none, that of the row before."""
    found: list[float] = []
    for row in rows:
        found.append(float(row[column]) if row[column] else found[-1] if found else math.nan)
    return found
