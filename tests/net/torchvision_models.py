"""torchvision's classification models, for sweeps: the smallest of each kind in every run, all of them every night."""

from __future__ import annotations

import pytest
from torchvision import models

NAMES = models.list_models(module=models)

SMALLEST = (
    "alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5 "
    "mobilenet_v2 mobilenet_v3_small regnet_x_400mf regnet_y_400mf resnet18 resnet50 shufflenet_v2_x0_5 "
    "squeezenet1_1 swin_t swin_v2_t vgg11 vgg11_bn vit_b_32"
).split()
"""Every class of module that torchvision's models have is in one of them; the others have more of them, or wider ones."""

every_model = pytest.mark.parametrize(
    "name", [name if name in SMALLEST else pytest.param(name, marks=pytest.mark.nightly) for name in NAMES]
)
