"""The picture that a panel looks at: its trait, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as w
import traitlets as t

from cnnwidgets.base.image import Image, bound, picture_at, picture_in
from cnnwidgets.net.arguments import is_whole
from cnnwidgets.net.items import is_dataset, size_of
from cnnwidgets.panels.controls import Slider
from cnnwidgets.panels.panel import Panel
from cnnwidgets.views import UploadButton


class PicturePanel(Panel):
    """A panel that looks at one picture: any that ``net.prepare`` takes, an upload, or a number in a data set."""

    image = Image(None, help="the picture: what net.prepare takes, or its number in the data set").tag(
        control=Slider(lambda panel: (0, len(panel.images) - 1))
    )

    def __init__(self, net, image: Any = 0, *, images=None, **options):
        held = is_dataset(image)  # pictures to pick from, and no picture itself
        self._is_counted = held or images is not None
        self.images: Any = image if held else images if images is not None else ()
        size_of(self.images)  # raises the sentence for what has no numbered items
        super().__init__(bound(net, self.images), image=0 if held else image, **options)

    @classmethod
    def public_traits(cls) -> dict[str, t.TraitType]:
        traits = super().public_traits()
        return {"image": traits["image"], **traits}

    @property
    def source(self) -> Any:
        """The picture itself, taken from the data set if it is a number."""
        return self._taken(self.image)

    def _taken(self, image: Any) -> Any:
        """A picture, taken from the data set if it is a number."""
        if image is None:
            raise ValueError("there is no picture yet: give one")
        if not is_whole(image):
            return picture_in(image)
        if not self._is_counted:
            raise ValueError(f"{image} is the number of a picture: say of which data set, images=..., or give the picture")
        if not len(self.images):
            raise ValueError("the data set is empty: there is no picture to show")
        if not 0 <= image < len(self.images):
            raise ValueError(f"there is no picture {image}: the data set has {len(self.images)}, numbered from 0")
        return picture_at(self.net, self.images, image)

    def remarks(self, result: Any) -> Sequence[str]:
        return list(dict.fromkeys([*result.notes, *self.net.notes]))  # of which some are known by now only

    def toolbox(self) -> list[w.Widget]:
        row, *more = super().toolbox()
        if not len(self.images):
            row.children = [c for c in row.children if c is not self.controls.get("image")]
        if "image" not in self.hidden:
            upload = UploadButton(
                description="Upload a picture", accept="image/*", tooltip="use a picture of your own",
                disabled="image" in self.locked, on_file=self._take_upload,
            )  # fmt: skip
            row.children = [*row.children, upload]
        return [row, *more]

    def _take_upload(self, content: bytes) -> None:
        self.image = content
