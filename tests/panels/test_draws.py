"""Panels on a network that draws random numbers in evaluation mode: their strips say so, and call nothing exact."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import cnnwidgets as cw
from tests.methods.small import picture, small
from tests.net.networks import Function


@pytest.fixture(scope="module")
def drawing():
    return cw.bind(Function(lambda self, x: self.body(F.dropout(x, 0.2)), body=small()).eval(), input_shape=(3, 12, 12))


PANELS = {
    "occlusion": lambda net: cw.OcclusionSlider(net, picture(), patch=4, stride=4),
    "saliency": lambda net: cw.SaliencyPanel(net, picture(), methods=["saliency", "grad_cam"]),
    "activations": lambda net: cw.FeatureMapBrowser(net, picture()),
    "embedding": lambda net: cw.EmbeddingExplorer(net, [torch.rand(3, 12, 12) for _ in range(20)], method="pca"),
}


@pytest.mark.parametrize("name", PANELS)
def test_the_strip_says_that_what_is_shown_is_one_draw(name, drawing):
    panel = PANELS[name](drawing)
    _ = panel.result
    told = panel.status.message
    assert "draws random numbers" in told and "one draw of many" in told


def test_occlusion_calls_no_position_exact(drawing):
    panel = PANELS["occlusion"](drawing)
    assert panel.result.complete and not panel.result.exact
    assert "All 9 positions computed with one draw of the network's random numbers." in panel.status.message
    assert "exact" not in panel.status.message
    assert panel.y is not None  # the patch lies where the score is lowest, as with any other network
