"""What every view has in common: an ES module and a style sheet, each made of the shared part and its own."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import numpy as np

_HERE = Path(__file__).parent

_COMMENTS = re.compile(r"^ *(//.*|/\*\*[\s\S]*?\*/)\n", re.MULTILINE)

_UNPACK = """const unpacked = (async () => {
  const packed = Uint8Array.from(atob("PACKED"), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const address = URL.createObjectURL(new Blob([await new Response(stream).text()], { type: "text/javascript" }));
  const { default: view } = await import(address);
  URL.revokeObjectURL(address);
  return view;
})();
export default {
  initialize({ model }) {
    const held = [];
    const hold = (...message) => held.push(message);
    model.on("msg:custom", hold);
    unpacked.then((view) => {
      model.off("msg:custom", hold);
      view.initialize?.({ model, held });
    });
  },
  render: async (context) => (await unpacked).render(context),
};
"""
"""The module is there at once and the view later: a host gives a module two seconds, also on a page that is busy.

Messages that come meanwhile are held for the view's own ``initialize({ model, held })``.
"""


class View(anywidget.AnyWidget):
    """An anywidget whose ES module is ``shared.js`` followed by a file, or some files, of the subclass' own.

    Beside the last of them lies the style sheet that follows ``views.css``.

    >>> class ImageGrid(View, module="image_grid.js"): ...

    The modules touch only ``model`` and ``el`` (the anywidget front-end standard), so that they run unchanged in
    JupyterLab, Notebook 7, VS Code, Colab, marimo and in a page without a kernel. They are sent with every view: gzipped,
    in a module that unpacks them, which is a third of the text.
    """

    source: ClassVar[str]
    """The ES module, before it is packed."""

    without_kernel: ClassVar[Mapping[str, Any]] = {}
    """Traits that are other in a page without a kernel."""

    needs_kernel: ClassVar[bool] = False
    """Whether it is of no use without a kernel: then a page without one leaves it out."""

    def hands(self, lock: Collection[str]) -> Sequence[str]:
        """What a hand can do without a kernel, a word each, where some traits are locked."""
        return ()

    def __init_subclass__(cls, *, module: str | Sequence[str] = (), **kwargs):
        if module:
            own = [module] if isinstance(module, str) else module
            cls.source = _joined("shared.js", *own)
            cls._esm = _packed(cls.source)
            cls._css = _joined("views.css", own[-1].replace(".js", ".css"))
        super().__init_subclass__(**kwargs)


def _joined(*names: str) -> str:
    return "".join((_HERE / name).read_text("utf-8") for name in names)


def _packed(source: str) -> str:
    """A module that unpacks and exports another one."""
    content = gzip.compress(_COMMENTS.sub("", source).encode(), mtime=0)
    return _UNPACK.replace("PACKED", base64.b64encode(content).decode())


def numbers(values, dtype=np.float32) -> bytes:
    """Numbers as the bytes that a view's JavaScript reads as a typed array."""
    return np.ascontiguousarray(values, dtype).tobytes()
