"""What holds for all tests of net."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks run faster on one thread, and a busy machine disturbs them less."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
