"""A camera's picture."""

from __future__ import annotations

from cnnwidgets.views.picture_maker import PictureMaker


class CameraView(PictureMaker, module="camera_view.js"):
    """A camera's picture, mirrored, live or frozen; the browser asks for permission when a user starts it.

    >>> camera = CameraView(shape=[224, 224])
    >>> camera.on_user("pixels", lambda pixels: print(net.predict(camera.picture)))

    The center of the frame is sent, at most twenty times a second, and only after the kernel has taken the last one.
    """
