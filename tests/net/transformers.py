"""Small transformers and their relatives, with random weights: where their tokens lie, as their own papers and code say.

Each is a table row: how it is built, its picture, and of one module what it gives: tokens after so many others, on a grid of
rows and columns, or maps with the channels last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import timm
import torch
from timm.models.levit import Levit
from timm.models.mlp_mixer import MlpMixer
from torch import nn
from torchvision import models


class Placed(NamedTuple):
    """A network, and what one of its modules gives.

    Attributes:
        build: the network, of five classes.
        picture: height and width.
        module: by default the maps of Grad-CAM are of what this module gives.
        rows, columns: of its maps, or the grid of its tokens.
        first: tokens before those on the grid.
        layout: of its output.
    """

    build: Callable[[], nn.Module]
    picture: tuple[int, int]
    module: str
    rows: int
    columns: int
    first: int = 0
    layout: str = "tokens"

    def maps(self, output: torch.Tensor) -> torch.Tensor:
        """(N, units, rows, columns) of the module's output, by hand."""
        if self.layout == "map":
            return output
        if self.layout == "map, channels last":
            return output.permute(0, 3, 1, 2)
        on_grid = output[:, self.first : self.first + self.rows * self.columns]
        return on_grid.transpose(1, 2).reshape(len(output), -1, self.rows, self.columns)


def made(name: str, **options) -> Callable[[], nn.Module]:
    return lambda: timm.create_model(name, pretrained=False, num_classes=5, **options)


SMALL = {"depth": 2, "embed_dim": 24, "num_heads": 2}
WIDE, FLAT = (64, 256), (64, 128)

TRANSFORMERS = {
    "ViT": Placed(made("vit_tiny_patch16_224", img_size=WIDE, **SMALL), WIDE, "blocks.1.norm1", 4, 16, 1),
    "ViT without a class token": Placed(
        made("vit_tiny_patch16_224", img_size=WIDE, class_token=False, global_pool="avg", **SMALL), WIDE, "norm", 4, 16
    ),
    "ViT that pools by attention": Placed(made("vit_base_patch16_siglip_224", img_size=FLAT, **SMALL), FLAT, "norm", 4, 8),
    "DeiT, distilled": Placed(
        made("deit_tiny_distilled_patch16_224", img_size=WIDE, **SMALL), WIDE, "blocks.1.norm1", 4, 16, 2
    ),
    "DINOv2 with registers": Placed(
        made("vit_small_patch14_reg4_dinov2", img_size=(56, 84), **SMALL), (56, 84), "blocks.1.norm1", 4, 6, 5
    ),
    "BEiT": Placed(made("beit_base_patch16_224", img_size=FLAT, **SMALL), FLAT, "blocks.1", 4, 8, 1),
    "CaiT": Placed(made("cait_xxs24_224", img_size=FLAT, **SMALL), FLAT, "blocks_token_only.1.norm1", 4, 8, 1),
    "XCiT": Placed(
        made("xcit_nano_12_p16_224", depth=2, embed_dim=32, num_heads=2), FLAT, "cls_attn_blocks.1.norm1", 4, 8, 1
    ),
    "Mixer": Placed(
        lambda: MlpMixer(num_classes=5, img_size=FLAT, patch_size=16, num_blocks=2, embed_dim=24), FLAT, "norm", 4, 8
    ),
    "LeViT": Placed(
        lambda: Levit((128, 256), num_classes=5, embed_dim=(32, 48, 64), key_dim=8, depth=(1, 1, 1), num_heads=(2, 3, 4)),
        (128, 256),
        "stages.2.blocks.0",
        2,
        4,
    ),
    "Hiera": Placed(
        made("hiera_tiny_224", img_size=FLAT, stages=(1, 1, 1, 1), embed_dim=24, num_heads=1), FLAT, "blocks.3", 2, 4
    ),
    "Swin": Placed(
        made("swin_tiny_patch4_window7_224", img_size=FLAT, depths=(2, 2), embed_dim=24, num_heads=(2, 2), window_size=4),
        FLAT,
        "norm",
        8,
        16,
        layout="map, channels last",
    ),
    "Swin, version 2": Placed(
        made("swinv2_tiny_window8_256", img_size=FLAT, depths=(2, 2), embed_dim=24, num_heads=(2, 2), window_size=4),
        FLAT,
        "norm",
        8,
        16,
        layout="map, channels last",
    ),
    "PVT": Placed(made("pvt_v2_b0", depths=(1, 1, 1, 1)), FLAT, "stages.3.norm", 2, 4),
    "a convolutional network with attention": Placed(
        made("botnet26t_256", img_size=FLAT), FLAT, "final_conv", 2, 4, layout="map"
    ),
    "torchvision's ViT": Placed(
        lambda: models.VisionTransformer(64, 16, 2, 2, 24, 24, num_classes=5),
        (64, 64),
        "encoder.layers.encoder_layer_1.ln_1",
        4,
        4,
        1,
    ),
    "torchvision's Swin": Placed(
        lambda: models.SwinTransformer([4, 4], 24, [2, 2], [2, 2], [4, 4], num_classes=5),
        FLAT,
        "norm",
        8,
        16,
        layout="map, channels last",
    ),
    "torchvision's MaxViT": Placed(
        lambda: models.MaxVit((128, 128), 16, 4, [16, 32], [1, 1], 8, 0.0, num_classes=5),
        (128, 128),
        "blocks.1",
        16,
        16,
        layout="map",
    ),
    "torchvision's ResNet": Placed(lambda: models.resnet18(num_classes=5), FLAT, "layer4", 2, 4, layout="map"),
}
