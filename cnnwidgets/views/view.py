"""What every view has in common: one ES module, made of the shared part and its own, and one style sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import numpy as np

_HERE = Path(__file__).parent


class View(anywidget.AnyWidget):
    """An anywidget whose ES module is ``shared.js`` followed by a file, or some files, of the subclass' own.

    >>> class ImageGrid(View, module="image_grid.js"): ...

    The modules touch only ``model`` and ``el`` (the anywidget front-end standard), so that they run unchanged in
    JupyterLab, Notebook 7, VS Code, Colab, marimo and in a page without a kernel.
    """

    without_kernel: ClassVar[Mapping[str, Any]] = {}
    """Traits that are other in a page without a kernel."""

    def __init_subclass__(cls, *, module: str | Sequence[str] = (), **kwargs):
        if module:
            own = [module] if isinstance(module, str) else module
            cls._esm = "".join((_HERE / name).read_text("utf-8") for name in ("shared.js", *own))
            cls._css = (_HERE / "views.css").read_text("utf-8")
        super().__init_subclass__(**kwargs)


def numbers(values, dtype=np.float32) -> bytes:
    """Numbers as the bytes that a view's JavaScript reads as a typed array."""
    return np.ascontiguousarray(values, dtype).tobytes()
