"""What a view sends to the browser."""

from __future__ import annotations

import json
from contextlib import contextmanager


class Message(dict):
    """A message as it leaves the kernel: its content, and the buffers beside it."""

    buffers: list[bytes]

    @property
    def size(self) -> int:
        """Bytes on the wire, without Jupyter's own header."""
        return len(json.dumps(self)) + sum(len(memoryview(buffer).cast("B")) for buffer in self.buffers)


@contextmanager
def sent(view, monkeypatch):
    """Inside, the messages that a view sends are collected in the list that it gives."""
    messages: list[Message] = []

    def publish(msg_type, data=None, metadata=None, buffers=None, **keys):
        message = Message(data or {})
        message.buffers = list(buffers or [])
        messages.append(message)

    with monkeypatch.context() as patch:
        patch.setattr(view.comm, "publish_msg", publish)
        yield messages
