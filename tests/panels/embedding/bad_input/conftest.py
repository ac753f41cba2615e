"""Panels of small pictures, made as wanted."""

from __future__ import annotations

import pytest

import cnnwidgets as cw
from tests.methods.data_sets import Pictures, network
from tests.panels.embedding.bad_input.telling import QUICK


@pytest.fixture
def explore():
    made = []

    def make(dataset=None, net=None, **options):
        made.append(cw.EmbeddingExplorer(net or network(), Pictures() if dataset is None else dataset, **QUICK | options))
        return made[-1]

    yield make
    for panel in made:
        panel.close()
