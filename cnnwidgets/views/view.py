"""What every view has in common: an ES module and a style sheet, each made of the shared part and its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cnnwidgets.views.modules import inlined, packed
from cnnwidgets.views.paper import Paper
from cnnwidgets.views.syncing import Syncing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HERE = Path(__file__).parent


class View(Syncing):
    """An anywidget with an ES module, beside which lies the style sheet that follows ``views.css``.

    >>> class ImageGrid(View, module="image_grid.js"): ...

    The modules touch only ``model`` and ``el`` (the anywidget front-end standard), so that they run unchanged in
    JupyterLab, Notebook 7, VS Code, Colab, marimo and in a page without a kernel. They are sent with every view: gzipped,
    in a module that unpacks them, which is a third of the text.
    """

    source: ClassVar[str]
    """The ES module, before it is packed."""

    style: ClassVar[str]
    """The style sheet, which is packed with it."""

    without_kernel: Mapping[str, Any] = {}
    """Traits that are other in a page without a kernel."""

    def still(self, axes: Axes) -> None:
        """Draw what is on screen on Matplotlib axes; further ones, where it takes some, share the room of these."""
        paper = Paper(axes)
        self.draw_on(paper)
        paper.close()

    @property
    def still_size(self) -> tuple[float, float]:
        """Width and height in inches that :meth:`still` wants."""
        paper = Paper()
        self.draw_on(paper)
        return paper.size

    def draw_on(self, paper: Paper) -> None:
        """Draw what is on screen on paper, or find the size that it takes; for views that do not do it on axes."""
        raise NotImplementedError(f"{type(self).__name__} has no still")

    def __init_subclass__(cls, *, module: str = "", **kwargs: Any):
        if module:
            cls.source = inlined(_HERE / module)
            cls.style = "".join((_HERE / name).read_text("utf-8") for name in ("views.css", module.replace(".js", ".css")))
            cls._esm = packed(cls.source, cls.style)
        super().__init_subclass__(**kwargs)


def numbers(values: Any, dtype: Any = np.float32) -> bytes:
    """Numbers as the bytes that a view's JavaScript reads as a typed array."""
    return np.ascontiguousarray(values, dtype).tobytes()
