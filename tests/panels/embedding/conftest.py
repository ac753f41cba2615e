"""Panels of sixty digits, and of a data set of which some pictures cannot be used."""

from __future__ import annotations

import pytest

import cnnwidgets as cw
from tests.methods.data_sets import Bad, network
from tests.panels.embedding.seen import QUICK


@pytest.fixture(scope="module")
def net():
    return cw.load("digits")


@pytest.fixture(scope="module")
def pictures():
    return cw.samples.digits()


@pytest.fixture
def explore(net, pictures):
    """Make a panel of 60 of the digits, or of what is given; closed after the test."""
    made = []

    def make(*given, **options):
        made.append(cw.EmbeddingExplorer(*(given or (net, pictures)), **QUICK | options))
        return made[-1]

    yield make
    for panel in made:
        panel.close()


@pytest.fixture
def bad(explore):
    """A panel of 41 pictures; 9 others of the data set cannot be used."""
    return explore(network(), Bad(), method="pca")
