"""What was freed goes back to the system."""

from __future__ import annotations

import numpy as np
import psutil

from cnnwidgets.net import memory

HAS_TRIM = hasattr(memory._C, "malloc_trim")


def resident() -> int:
    return psutil.Process().memory_info().rss


def test_freed_blocks_between_ones_in_use_go_back_where_the_c_library_can():
    size, count = 100_000, 2_000  # bytes: under the size from which each block is mapped by itself
    blocks = [np.ones(size, np.uint8) for _ in range(count)]
    full = resident()
    with memory.given_back():
        del blocks[::2]
    assert (full - resident() > size * count / 3) == HAS_TRIM


def test_a_c_library_without_trimming_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory, "_C", None)
    memory.give_back()
