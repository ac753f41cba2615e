"""Every map is what the call gave when it ran, whatever happened to its memory later."""

from __future__ import annotations

import re
import threading
from functools import cache, partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torch.nn.utils import parametrizations
from torchvision import models
from torchvision.models.feature_extraction import NodePathTracer

from cnnwidgets.net import Cancelled, bind
from tests.net.networks import CancelAt, Function, LeNet5, Residual, cheap, leaves, maps_by_hooks, twins, unchanged

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")

TORCHVISION = ["resnet18", "squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5", "googlenet"]


@cache
def torchvision_model(name: str) -> nn.Module:
    return cheap(getattr(models, name), **({"init_weights": False} if name == "googlenet" else {}))


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def assert_maps_are_right(net, batch: torch.Tensor) -> None:
    """The maps of all module calls are those that hooks with a copy record; every recorded call has a row."""
    with torch.no_grad():
        truth = maps_by_hooks(net.module.eval(), batch.to(next(net.module.parameters(), batch).dtype))
    maps = net.trace(batch)
    rows = {row.source[1:]: row.name for row in net.layers if row.source[0] == "module"}
    for name, calls in truth.items():
        for ordinal, true in enumerate(calls, 1):
            torch.testing.assert_close(maps[rows[name, ordinal]], true.float(), rtol=0, atol=0, msg=f"{name}:{ordinal}")


class TestTruth:
    @pytest.mark.parametrize("name", TORCHVISION)
    def test_maps_equal_those_of_hooks_with_copy(self, name):
        net = bind(torchvision_model(name), input_shape=(3, 64, 64))
        assert_maps_are_right(net, images(2, 3, 64, 64))

    @pytest.mark.parametrize("name", TORCHVISION)
    def test_maps_equal_those_of_torchvisions_feature_extraction(self, name):
        """Its graph, run node by node with a copy of each: it names the functions too, and the second call ``relu_1``."""
        model, batch, found = torchvision_model(name), images(2, 3, 64, 64), {}

        class Copying(fx.Interpreter):
            def run_node(self, n):
                output = super().run_node(n)
                if isinstance(output, torch.Tensor) and n.op != "output":
                    found[tracer.node_to_qualname[n]] = output.clone()
                return output

        tracer = NodePathTracer()
        graph = tracer.trace(model.eval())
        with torch.no_grad():
            Copying(fx.GraphModule(tracer.root, graph)).run(batch.clone())
        maps = bind(model, input_shape=(3, 64, 64)).trace(batch)
        theirs = {name: re.sub(r":(\d+)", lambda found: f"_{int(found[1]) - 1}", name) for name in maps}
        assert {name for name in maps if theirs[name].split(".")[-1].rstrip("_0123456789") not in ("chunk", "getitem")} == {
            name for name in maps if theirs[name] in found and torch.equal(maps[name], found[theirs[name]])
        }

    def test_resnet50_has_49_maps_that_hooks_without_a_copy_get_wrong_and_none_is_wrong_here(self):
        model, batch = cheap(models.resnet50), images(1, 3, 64, 64)
        true, live = maps_by_hooks(model, batch), maps_by_hooks(model, batch, copy=lambda output: output)
        assert len(true) == 126
        assert sum(not torch.equal(live[name][0], true[name][0]) for name in true) == 49
        assert_maps_are_right(bind(model, input_shape=(3, 64, 64)), batch)

    @pytest.mark.parametrize("batch", [1, 3])
    def test_small_networks_with_everything_that_is_hard(self, batch):
        assert_maps_are_right(bind(Residual(), input_shape=(3, 16, 16)), images(batch, 3, 16, 16))

    def test_a_network_that_flattens_with_view(self):
        assert_maps_are_right(bind(LeNet5(), input_shape=(1, 32, 32)), images(2, 1, 32, 32))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_other_precisions(self, dtype):
        net = bind(Residual().to(dtype), input_shape=(3, 16, 16))
        batch = images(2, 3, 16, 16).to(dtype).float()
        assert_maps_are_right(net, batch)
        assert {values.dtype for values in net.trace(batch).values()} == {torch.float32}
        assert net.predict(batch)

    def test_a_batch_gives_the_maps_of_its_pictures(self):
        net, batch = bind(Residual().double(), input_shape=(3, 16, 16)), images(3, 3, 16, 16)
        single = [net.trace(picture) for picture in batch]
        for name, values in net.trace(batch).items():
            torch.testing.assert_close(values, torch.cat([maps[name] for maps in single]))

    def test_functions_between_the_modules_are_recorded(self):
        net, batch = bind(Residual(), input_shape=(3, 16, 16)), images(2, 3, 16, 16)
        maps = net.trace(batch)
        torch.testing.assert_close(maps["add"], maps["conv2"] + maps["relu"])
        torch.testing.assert_close(maps["relu:2"], maps["add"].relu())
        torch.testing.assert_close(maps["add:2"], maps["relu"] + maps["relu:2"])
        torch.testing.assert_close(maps["cat"], torch.cat([maps["add:2"], maps["relu:3"]], 1))
        torch.testing.assert_close(maps["mean"], maps["cat"].mean((2, 3)))

    @pytest.mark.parametrize("name", twins())
    def test_five_ways_to_write_a_relu_give_the_same_maps(self, name):
        batch = images(2, 3, 12, 12)
        reference = list(bind(twins()["module"], input_shape=(3, 12, 12)).trace(batch).values())
        values = list(bind(twins()[name], input_shape=(3, 12, 12)).trace(batch).values())
        assert len(values) == len(reference) == 6
        assert all(torch.equal(a, b) for a, b in zip(values, reference, strict=True))
        assert reference[0].min() < 0 == reference[1].min()  # the map before the ReLU still has its negative values

    def test_a_module_used_twice_has_two_rows(self):
        maps = bind(twins()["shared"], input_shape=(3, 12, 12)).trace(images(1, 3, 12, 12))
        assert list(maps) == ["first", "one", "second", "one:2", "mean", "last"]


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(x.numpy() * 2)  # by other means than torch's functions

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


class TestUnusualModels:
    def test_a_custom_autograd_function_inside_a_block(self):
        model = nn.Sequential(Function(lambda self, x: Double.apply(self.conv(x)), conv=nn.Conv2d(3, 2, 3)), nn.ReLU())
        net = bind(model, input_shape=(3, 8, 8))
        maps = net.trace(images(1, 3, 8, 8))
        torch.testing.assert_close(maps["1"], (2 * maps["0.conv"]).relu())
        assert net.layers["1"].receptive_field.status == "global"  # nobody knows what it did

    def test_a_scripted_model_is_one_row(self):
        model = torch.jit.script(Residual().eval())
        net = bind(model, input_shape=(3, 16, 16))
        (row,) = net.layers
        assert (row.output_shape, row.parameters) == ((5,), sum(p.numel() for p in model.parameters()))
        (values,) = net.trace(images(2, 3, 16, 16)).values()
        assert torch.equal(values, model(images(2, 3, 16, 16)))

    def test_a_scripted_block_is_one_row_among_others(self):
        block = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
        model = nn.Sequential(block, nn.Conv2d(4, 2, 3)).eval()
        net, batch = bind(model, input_shape=(3, 8, 8)), images(2, 3, 8, 8)
        assert net.layers.names == ["0", "1"]
        assert torch.equal(net.trace(batch)["0"], block(batch))

    @pytest.mark.parametrize("make", [parametrizations.weight_norm, nn.utils.spectral_norm])
    def test_normed_weights(self, make):
        model = nn.Sequential(make(nn.Conv2d(3, 4, 3)), nn.ReLU(), make(nn.Conv2d(4, 2, 3))).eval()
        net = bind(model, input_shape=(3, 8, 8))
        assert net.layers.names == ["0", "1", "2"]
        assert_maps_are_right(bind(model, input_shape=(3, 8, 8)), images(2, 3, 8, 8))

    def test_normed_weights_by_parametrization_equal_the_forward_pass(self):
        model = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.ReLU()).eval()
        assert torch.equal(bind(model, input_shape=(3, 8, 8)).trace(images(2, 3, 8, 8))["1"], model(images(2, 3, 8, 8)))

    def test_data_parallel_is_looked_into(self):
        model = nn.DataParallel(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())).eval()
        assert bind(model, input_shape=(3, 8, 8)).layers.names == ["module.0", "module.1"]

    def test_a_model_in_training_mode_is_run_in_evaluation_mode_and_stays_in_training_mode(self):
        model = Residual().train()
        net = bind(model, input_shape=(3, 16, 16))
        maps = net.trace(images(4, 3, 16, 16))
        assert torch.equal(maps["drop"], maps["cat"])
        torch.testing.assert_close(maps["bn1"], maps["conv1"] / (1 + 1e-5) ** 0.5)  # running mean 0 and variance 1
        assert model.training and model.bn1.training

    def test_the_users_own_hooks_run_and_what_they_return_is_recorded(self):
        model, ran = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU()).eval(), []
        model[0].register_forward_pre_hook(lambda module, args: ran.append("before"))
        model[0].register_forward_hook(lambda module, args, output: ran.append("after") or output * 2)
        with unchanged(model):
            maps = bind(model, input_shape=(3, 8, 8)).trace(images(1, 3, 8, 8))
        assert ran == ["before", "after"] * 2  # once for the table, once for the maps
        with torch.no_grad():
            torch.testing.assert_close(
                maps["0"], 2 * model[0]._conv_forward(images(1, 3, 8, 8), model[0].weight, model[0].bias)
            )
        assert torch.equal(maps["1"], maps["0"].relu())

    def test_a_path_that_depends_on_the_picture_is_refused_with_the_missing_layer(self):
        model = Function(lambda self, x: self.dark(x) if x.sum() == 0 else self.light(x), dark=nn.ReLU(), light=nn.Tanh())
        net = bind(model, input_shape=(1, 2, 2))
        with pytest.raises(RuntimeError, match="this picture takes a different path through Function: dark was not run"):
            net.trace(torch.ones(1, 2, 2))

    def test_a_network_that_catches_its_own_errors(self):
        def forward(self, x):
            try:
                self.wrong(x)
            except RuntimeError:
                return self.conv(x)

        net = bind(Function(forward, wrong=nn.Conv2d(9, 2, 3), conv=nn.Conv2d(3, 2, 3)), input_shape=(3, 8, 8))
        assert net.layers.names == ["conv"]
        assert torch.equal(net.trace(images(1, 3, 8, 8))["conv"], net.module.conv(images(1, 3, 8, 8)))


class TestWhatIsGiven:
    def test_only_the_layers_asked_for(self):
        net = bind(Residual(), input_shape=(3, 16, 16))
        assert list(net.trace(images(1, 3, 16, 16), ["relu:2", "conv1"])) == ["relu:2", "conv1"]

    def test_a_block_gives_the_map_that_ends_it(self):
        net, batch = bind(torchvision_model("resnet18"), input_shape=(3, 64, 64)), images(1, 3, 64, 64)
        maps = net.trace(batch, ["layer1", "layer1.1.relu:2"])
        assert torch.equal(maps["layer1"], maps["layer1.1.relu:2"])
        assert torch.equal(maps["layer1"], maps_by_hooks(net.module, batch)["layer1.1.relu"][1])

    def test_a_misspelled_layer_offers_the_nearest(self):
        with pytest.raises(KeyError, match=r"no layer 'conv3'. Did you mean 'conv"):
            bind(Residual(), input_shape=(3, 16, 16)).trace(images(1, 3, 16, 16), ["conv3"])

    @pytest.mark.parametrize(
        "model", [nn.Identity(), nn.ReLU(inplace=True), nn.Flatten(), Function(lambda self, x: F.relu_(x))], ids=str
    )
    def test_results_share_no_memory_with_the_users_tensor(self, model):
        mine = images(1, 3, 4, 4) - 0.5
        before = mine.clone()
        (values,) = bind(model, input_shape=(3, 4, 4)).trace(mine).values()
        assert torch.equal(mine, before)
        held = values.clone()
        mine.zero_()
        assert torch.equal(values, held)
        values.fill_(7)
        assert mine.sum() == 0

    def test_results_share_no_memory_with_the_models_buffers(self):
        class Bias(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("map", torch.zeros(1, 3, 4, 4))

            def forward(self, x):
                self.map.copy_(x)
                return F.relu(self.map)

        net = bind(Bias(), input_shape=(3, 4, 4))
        maps = net.trace(images(1, 3, 4, 4))
        assert torch.equal(maps["relu"], images(1, 3, 4, 4))
        maps["relu"].fill_(7)
        assert net.module.map.sum() == 0

    def test_results_need_no_gradient(self):
        maps = bind(Residual(), input_shape=(3, 16, 16)).trace(images(1, 3, 16, 16).requires_grad_())
        assert not any(values.requires_grad for values in maps.values())


class TestMemory:
    """Recorded maps lie in memory that is used again; that must never be seen."""

    @settings(max_examples=60, derandomize=True, deadline=None)
    @given(st.data())
    def test_a_held_result_is_never_written_to(self, data):
        net = bind(Residual(), input_shape=(3, 16, 16))
        truth = [net.trace(images(1, 3, 16, 16, seed=seed)) for seed in range(3)]
        truth = [{name: values.clone() for name, values in maps.items()} for maps in truth]
        held = []
        for _ in range(data.draw(st.integers(1, 12))):
            if held and data.draw(st.booleans()):
                held.pop(data.draw(st.integers(0, len(held) - 1)))
            seed = data.draw(st.integers(0, 2))
            layers = data.draw(st.none() | st.lists(st.sampled_from(net.layers.names), min_size=1, unique=True))
            maps = net.trace(images(1, 3, 16, 16, seed=seed), layers)
            name = data.draw(st.sampled_from(sorted(maps)))
            keep = data.draw(st.sampled_from(["all", "one", "part", "numpy", "numpy part"]))
            match keep:
                case "all":
                    held += [(maps[name], truth[seed][name]) for name in maps]
                case "one":
                    held.append((maps[name], truth[seed][name]))
                case "part":
                    held.append((maps[name][0, 0], truth[seed][name][0, 0]))
                case "numpy":
                    held.append((maps[name].numpy(), truth[seed][name]))
                case "numpy part":
                    held.append((maps[name].numpy()[0, :1], truth[seed][name][0, :1]))
            del maps
            for values, true in held:
                assert torch.equal(torch.as_tensor(values), true)

    def test_memory_is_used_again_once_nobody_holds_it(self):
        net = bind(Residual(), input_shape=(3, 16, 16))
        places = {net.trace(images(1, 3, 16, 16))["conv1"].data_ptr() for _ in range(5)}
        assert len(places) == 1

    def test_two_threads_that_trace_the_same_network_get_their_own_maps(self):
        net = bind(Residual(), input_shape=(3, 16, 16))
        truth = [{k: v.clone() for k, v in net.trace(images(1, 3, 16, 16, seed=seed)).items()} for seed in (0, 1)]
        wrong = []

        def work(seed: int) -> None:
            for _ in range(40):
                try:
                    maps = net.trace(images(1, 3, 16, 16, seed=seed))
                    wrong.extend(name for name in maps if not torch.equal(maps[name], truth[seed][name]))
                except Exception as error:
                    wrong.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


class TestVisiting:
    def test_every_call_is_shown_in_execution_order(self):
        net, names = bind(LeNet5(), input_shape=(1, 32, 32)), []
        net.run(images(1, 1, 32, 32), lambda name, values: names.append(name))
        assert names == net.layers.names

    def test_what_the_visitor_computes_is_no_part_of_the_pass(self):
        net, shares = bind(LeNet5(), input_shape=(1, 32, 32)), {}

        def visit(name, values):
            shares[name] = (values.view(len(values), -1).relu() == 0).float().mean().item()

        net.run(images(1, 1, 32, 32), visit)
        assert list(shares) == net.layers.names
        maps = net.trace(images(1, 1, 32, 32))
        assert shares == {name: pytest.approx((values <= 0).float().mean().item()) for name, values in maps.items()}

    def test_a_visitor_may_run_the_network_itself(self):
        net, names = bind(Residual(), input_shape=(3, 16, 16)), []
        net.run(images(1, 3, 16, 16), lambda name, values: names.append(name) or net.predict(images(1, 3, 16, 16)))
        assert names == net.layers.names

    def test_another_thread_that_runs_the_same_module_is_not_seen(self):
        net, names = bind(Residual(), input_shape=(3, 16, 16)), []

        def visit(name, values):
            names.append(name)
            other = threading.Thread(target=net.module, args=(images(1, 3, 16, 16),))
            other.start()
            other.join()

        net.run(images(1, 3, 16, 16), visit)
        assert names == net.layers.names

    def test_a_pass_on_another_thread_in_the_middle_of_ours_is_not_seen(self):
        main, names = threading.get_ident(), []

        def forward(self, x):
            if threading.get_ident() == main:
                other = threading.Thread(target=self, args=(x,))
                other.start()
                other.join()
            return self.second(self.first(x))

        model = Function(forward, first=nn.Conv2d(3, 3, 1), second=nn.Conv2d(3, 3, 1))
        bind(model, input_shape=(3, 4, 4)).run(images(1, 3, 4, 4), lambda name, values: names.append(name))
        assert names == ["first", "second"]

    def test_a_pass_on_a_panels_thread_shows_the_same_calls(self):
        block = torch.jit.script(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()))
        model = nn.Sequential(block, Function(lambda self, x: F.relu(Double.apply(x) + torch.from_numpy(x.numpy()))))
        net, names = bind(model, input_shape=(3, 4, 4)), []
        panel = threading.Thread(target=net.run, args=(images(1, 3, 4, 4), lambda name, values: names.append(name)))
        panel.start()
        panel.join()
        assert names == net.layers.names == ["0", "1.add", "1.relu"]

    def test_an_error_in_the_visitor_comes_through_and_leaves_no_trace(self):
        net = bind(Residual(), input_shape=(3, 16, 16))
        with unchanged(net.module), pytest.raises(ZeroDivisionError):
            net.run(images(1, 3, 16, 16), lambda name, values: 1 / 0)


class TestCancelling:
    net = property(lambda self: bind(Residual().train(), input_shape=(3, 16, 16)))

    def test_cancelling_at_any_moment_raises_and_leaves_no_trace(self):
        net, image = self.net, images(1, 3, 16, 16)
        full = CancelAt(10**9)
        net.trace(image, cancel=full)
        assert full.asked >= len(net.layers)
        for moment in range(full.asked):
            with unchanged(net.module), pytest.raises(Cancelled):
                net.trace(image, cancel=CancelAt(moment))
        assert len(net.trace(image)) == len(net.layers)

    def test_no_layer_runs_after_cancelling(self):
        net, cancel, seen = self.net, threading.Event(), []
        with pytest.raises(Cancelled):
            net.run(
                images(1, 3, 16, 16),
                lambda name, values: seen.append(name) or (name == "conv2" and cancel.set()),
                cancel=cancel,
            )
        assert seen[-1] == "conv2"

    def test_a_network_of_modules_alone_can_be_cancelled_between_any_two(self):
        net = bind(nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(5)]), input_shape=(3, 4, 4))
        for ran in range(5):
            seen = []
            with pytest.raises(Cancelled):
                net.run(images(1, 3, 4, 4), lambda name, values, seen=seen: seen.append(name), cancel=CancelAt(ran))
            assert len(seen) == ran


def test_leaves_of_the_truth_are_as_many_as_torchvision_says():
    """The reference of these tests is no accident: resnet50 has 53 convolutions, 53 norms, 17 ReLUs and 3 more."""
    with torch.device("meta"):
        kinds = [type(part).__name__ for part in leaves(models.resnet50()).values()]
    count = partial(kinds.count)
    assert (count("Conv2d"), count("BatchNorm2d"), count("ReLU"), len(kinds)) == (53, 53, 17, 126)
