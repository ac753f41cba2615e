"""Gradient maps and class activation maps of one and of many targets, beside Captum and pytorch-grad-cam."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import pytorch_grad_cam as peers
import torch
import torchvision
from captum.attr import GuidedBackprop, LayerGradCam, Saliency
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

import cnnwidgets as cw
from benchmarks.timing import Figure, figure, in_turn

TARGETS = list(range(10))
ROUNDS = int(os.environ.get("CNNW_ROUNDS", 15))


def figures() -> Iterator[Figure]:
    torch.set_num_threads(2)
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None).eval()
    net = cw.bind(model, input_shape=(3, 224, 224))
    _ = net.layers, net.classes
    yield from cams(net, model, torch.randn(3, 224, 224), TARGETS)
    yield from cams(net, model, torch.randn(3, 224, 224), TARGETS[:1])
    yield from saliencies(net, model, torch.randn(3, 224, 224))
    yield from sanity()


def cams(net: cw.BoundModel, model: nn.Module, picture: torch.Tensor, targets: list[int]) -> Iterator[Figure]:
    captum, batch = LayerGradCam(model, model.layer4), picture[None]
    with peers.GradCAM(model=model, target_layers=[model.layer4]) as theirs:
        times = in_turn(
            {
                "ours": lambda: cw.methods.grad_cam(net, picture, targets),
                "captum": lambda: [captum.attribute(batch, target=target) for target in targets],
                "pytorch-grad-cam": lambda: [theirs(batch, targets=[ClassifierOutputTarget(target)]) for target in targets],
            },
            rounds=ROUNDS,
        )
    many = len(targets) > 1
    what = f"{len(targets)} Grad-CAM target{'s' * many} on resnet18: times"
    yield figure(f"{what} Captum", times["captum"] / times["ours"], "x", least=8.0 if many else 0.95)
    yield figure(f"{what} pytorch-grad-cam", times["pytorch-grad-cam"] / times["ours"], "x", least=15.0 if many else 0.95)


def saliencies(net: cw.BoundModel, model: nn.Module, picture: torch.Tensor) -> Iterator[Figure]:
    captum = Saliency(model)

    def theirs(targets: list[int]) -> list[torch.Tensor]:
        return [captum.attribute(picture[None].clone().requires_grad_(), target=target) for target in targets]

    times = in_turn({"ours": lambda: cw.methods.saliency(net, picture, TARGETS), "captum": lambda: theirs(TARGETS)}, ROUNDS)
    yield figure("10 saliency targets on resnet18: times Captum", times["captum"] / times["ours"], "x", least=1.9)
    times = in_turn({"ours": lambda: cw.methods.saliency(net, picture, 3), "captum": lambda: theirs([3])}, ROUNDS)
    yield figure("1 saliency target on resnet18: times Captum", times["captum"] / times["ours"], "x", least=0.95)
    apart = apart_relus(model)
    guided = GuidedBackprop(apart)
    times = in_turn(
        {
            "ours": lambda: cw.methods.guided_backprop(net, picture, 3),
            "captum": lambda: guided.attribute(picture[None].clone().requires_grad_(), target=3),
        },
        ROUNDS,
    )
    yield figure("1 guided backpropagation on resnet18: times Captum", times["captum"] / times["ours"], "x", least=0.95)


def apart_relus(model: nn.Module) -> nn.Module:
    """The network with a ReLU module of its own for every call, not in place: as Captum needs it."""
    graph = torch.fx.symbolic_trace(model)
    for number, node in enumerate(list(graph.graph.nodes)):
        if node.op == "call_module" and isinstance(graph.get_submodule(node.target), nn.ReLU):
            graph.add_submodule(f"relu{number}", nn.ReLU())
            node.target = f"relu{number}"
    graph.recompile()
    return graph.eval()


def sanity() -> Iterator[Figure]:
    """A move of the panel's slider: a copy with random weights, the map, and how much it is like the original."""
    net, picture = cw.load("scenes"), cw.samples.scenes()[3][0]
    for method in ("saliency", "guided_backprop", "grad_cam", "smoothgrad", "integrated_gradients", "occlusion"):
        panel = cw.SaliencyPanel(net, picture, methods=[method])
        assert panel.result.found, panel.status.message
        depths = iter(range(1, 1000))

        def move(panel: cw.SaliencyPanel = panel, depths: Iterator[int] = depths) -> None:
            depth = next(depths)
            panel.seed, panel.randomized = depth // 16, 1 + depth % 16
            assert panel.result.found

        times = in_turn({"move": move}, rounds=12)["move"]
        yield figure(f"sanity slider on scenes, {method}", 1000 * times, "ms", most=300.0)
