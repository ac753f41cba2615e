"""Panels compute on threads of their own: no test begins while one of another test still does."""

from __future__ import annotations

import pytest

import cnnwidgets as cw
from cnnwidgets.base import jobs
from tests.base.tiny import PATIENCE


@pytest.fixture(autouse=True)
def idle_workers():
    yield
    jobs.POOL.wait(PATIENCE)


@pytest.fixture(scope="module")
def net():
    return cw.load("scenes")


@pytest.fixture(scope="module")
def pictures():
    return cw.samples.scenes()
