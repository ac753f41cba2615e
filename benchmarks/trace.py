"""Recording all maps of resnet50, beside the bare forward pass and beside the ways that copy too."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torchvision
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

import cnnwidgets as cw
from benchmarks.timing import Figure, figure, in_turn


def figures() -> Iterator[Figure]:
    torch.set_num_threads(2)
    torch.manual_seed(0)
    model = torchvision.models.resnet50().eval()
    picture = torch.rand(1, 3, 224, 224)
    net, holding = (cw.bind(model, input_shape=(3, 224, 224)) for _ in range(2))
    extractor = cloning_extractor(model)

    def bare() -> torch.Tensor:
        with torch.no_grad():
            return model(picture)

    def extract() -> dict[str, torch.Tensor]:
        with torch.no_grad():
            return extractor(picture)

    def hold() -> None:
        held.append(holding.trace(picture))
        del held[:-1]

    held: list[dict[str, torch.Tensor]] = []
    ours = "net.trace, every layer"
    ways = {
        ours: lambda: net.trace(picture),
        f"{ours}, the last result still held": hold,
        "create_feature_extractor with clones, every module": extract,
        "hooks with clones, every module": lambda: hooked(model, picture),
    }
    times = in_turn({"bare": bare, **ways}, rounds=31)
    yield figure("a bare forward pass of resnet50", 1000 * times["bare"], "ms")
    for way in ways:
        passes = times[way] / times["bare"]
        yield figure(f"{way}, in forward passes", passes, "x", most=1.5 if way == ours else None)

    traced, kept = net.trace(picture), hooked(model, picture)
    same = sum(torch.equal(traced[name], output) for name, output in kept.items())
    yield Figure("maps equal to those of hooks with clones", "all", f"{same} of {len(kept)}", same == len(kept))


def cloning_extractor(model: nn.Module) -> nn.Module:
    """torchvision's extractor of every module's output, each copied before an in-place call can overwrite it."""
    leaves = {name for name, part in model.named_modules() if not any(part.children())}
    nodes = [node for node in get_graph_node_names(model)[1] if node.rsplit("_", 1)[0] in leaves or node in leaves]
    extractor = create_feature_extractor(model, nodes)
    (outputs,) = (node for node in extractor.graph.nodes if node.op == "output")
    for node in outputs.args[0].values():
        with extractor.graph.inserting_after(node):
            copy = extractor.graph.call_method("clone", (node,))
        outputs.replace_input_with(node, copy)
    extractor.recompile()
    return extractor


def hooked(model: nn.Module, picture: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every module's output, copied in a forward hook; a module's second call is called ``name:2``, as in ``net.layers``."""
    kept: dict[str, torch.Tensor] = {}

    def keep(name: str):
        def hook(module, args, output) -> None:
            number = 1 + sum(key.split(":")[0] == name for key in kept)
            kept[name if number == 1 else f"{name}:{number}"] = output.clone()

        return hook

    hooks = [part.register_forward_hook(keep(name)) for name, part in model.named_modules() if not any(part.children())]
    try:
        with torch.no_grad():
            model(picture)
    finally:
        for hook in hooks:
            hook.remove()
    return kept
