"""A file from the reader's own disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import traitlets as t

from cnnwidgets.views.view import View


class UploadButton(View, module="upload_button.js"):
    """A button that takes a file.

    Parameters:
        on_file: called with the file's content.
    """

    needs_kernel: ClassVar[bool] = True

    description = t.Unicode("Upload a file", help="what the button says").tag(sync=True)
    accept = t.Unicode(help="what files are offered, as HTML says it: image/*").tag(sync=True)
    disabled = t.Bool(False, help="whether it takes none").tag(sync=True)

    def __init__(self, *, on_file: Callable[[bytes], None], **traits):
        super().__init__(**traits)
        self._on_file = on_file
        self.on_msg(self._take)

    def _take(self, _, message, buffers) -> None:
        if message.get("kind") == "upload" and not self.disabled:
            self._on_file(bytes(buffers[0]))
