"""What is seen of an EmbeddingExplorer, and what a hand does in it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cnnwidgets.base import jobs
from tests.base.tiny import PATIENCE

QUICK = {"limit": 60, "n_iter": 60}


def floats(data: bytes, dtype=np.float32) -> np.ndarray:
    return np.frombuffer(data, dtype)


def places(view) -> np.ndarray:
    return floats(view.positions).reshape(-1, 2)


def tiles(view) -> np.ndarray:
    """The pictures in a view's atlas, (rows x columns, height, width, 3)."""
    sheet = np.asarray(Image.open(io.BytesIO(view.atlas)).convert("RGB"), float)
    height, width, columns = view.tile
    grid = sheet.reshape(-1, height, columns, width, 3).swapaxes(1, 2)
    return grid.reshape(-1, height, width, 3)


def has_the_faces_of_its_points(panel) -> bool:
    """Whether tile i of the atlas shows the picture that point i stands for, and no other as well."""
    dataset = panel.dataset
    numbers = panel.result.features.indices
    wanted = np.stack([panel.net.picture(panel.net.prepare(dataset[i][0])[0]) for i in numbers.tolist()]).astype(float)
    shown = tiles(panel.scatter)[: len(wanted)]
    far = ((shown[:, None] - wanted[None]) ** 2).mean((2, 3, 4))
    return (far.argmin(1) == np.arange(len(wanted))).all() and far.diagonal().max() < 60


def settled(panel):
    """What is beside the points, once it is there."""
    assert panel.wait(PATIENCE)
    assert jobs.POOL.wait(PATIENCE)
    return panel.beside


def draw_around(panel, points: list[int]) -> None:
    """Draw a lasso around points."""
    panel.scatter.set_state({"selected": np.array(points, np.int32).tobytes()})


def pick(panel, point: int) -> None:
    """Click a point."""
    panel.scatter.set_state({"picked": point})


def go(panel, curve: int, point: int) -> None:
    """Click a point in the chart."""
    panel.chart.set_state({"clicked": [curve, point]})


def press(panel, name: str) -> None:
    """Press a button in the control strip."""
    panel._take_message(panel, {"kind": "action", "name": name}, [])
