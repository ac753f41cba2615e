"""A camera's picture."""

from __future__ import annotations

from cnnwidgets.views.picture_maker import PictureMaker


class CameraView(PictureMaker, module="camera_view.js"):
    """A camera, which the browser asks for once a user has started it: mirrored, live or frozen.

    >>> camera = CameraView(shape=[224, 224])
    >>> camera.on_user("pixels", lambda pixels: print(net.predict(camera.picture)))

    The middle of what it sees is sent, twenty times a second at most, and only when the kernel has taken the last one.
    """
