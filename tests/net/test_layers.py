"""The layer table says what lectures and papers say of well-known networks, and what torch's own counters count."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from cnnwidgets.net import bind
from tests.net.networks import Function, LeNet5, Residual, cheap

LENET = {  # parameters: outputs * (inputs + 1); multiply-adds: outputs * inputs * positions
    "conv1": (6 * (25 + 1), 6 * 25 * 28 * 28, (6, 28, 28)),
    "conv2": (16 * (6 * 25 + 1), 16 * 6 * 25 * 10 * 10, (16, 10, 10)),
    "fc1": (120 * (400 + 1), 120 * 400, (120,)),
    "fc2": (84 * (120 + 1), 84 * 120, (84,)),
    "fc3": (10 * (84 + 1), 10 * 84, (10,)),
}


@pytest.mark.parametrize("layer", LENET)
def test_lenet5_layers_have_the_parameters_and_multiply_adds_of_the_lecture(layer):
    row = bind(LeNet5(), input_shape=(1, 32, 32)).layers[layer]
    assert (row.parameters, row.macs, row.output_shape) == LENET[layer]


def test_lenet5_has_61706_parameters_and_416520_multiply_adds():
    net = bind(LeNet5(), input_shape=(1, 32, 32))
    assert net.parameters == sum(row.parameters for row in net.layers) == 61_706
    assert net.layers.macs == 416_520


def test_lenet5_c1_has_156_parameters_and_6_maps_of_28x28_that_see_5x5():
    c1 = bind(LeNet5(), input_shape=(1, 32, 32)).layers[0]
    assert (c1.name, c1.kind, c1.parameters, c1.map_shape) == ("conv1", "Conv2d", 156, (6, 28, 28))
    assert (c1.receptive_field.size, c1.receptive_field.status) == ((5, 5), "exact")


@pytest.mark.parametrize(
    ("build", "parameters", "macs"),
    [(models.alexnet, 61_100_840, 714_188_480), (models.vgg16, 138_357_544, 15_470_264_320)],
)
def test_famous_networks_have_the_parameters_and_multiply_adds_of_their_papers(build, parameters, macs):
    net = bind(cheap(build), input_shape=(3, 224, 224))
    assert net.parameters == sum(row.parameters for row in net.layers) == parameters
    assert net.layers.macs == macs


def test_alexnet_first_layer_gives_96_maps_of_55x55_on_227x227_pixels():
    (row,) = bind(nn.Conv2d(3, 96, 11, stride=4), input_shape=(3, 227, 227)).layers
    assert (row.output_shape, row.parameters) == ((96, 55, 55), 34_944)


def low_rank(self, x):
    return F.linear(x.flatten(1), self.a.weight @ self.b.weight)


COUNTED = {
    "LeNet-5": (LeNet5, (1, 32, 32)),
    "residual": (Residual, (3, 16, 16)),
    "resnet18": (lambda: cheap(models.resnet18), (3, 64, 64)),
    "mobilenet_v3_small": (lambda: cheap(models.mobilenet_v3_small), (3, 64, 64)),
    "shufflenet_v2_x0_5": (lambda: cheap(models.shufflenet_v2_x0_5), (3, 64, 64)),
    "grouped and dilated": (lambda: nn.Conv2d(4, 8, 3, groups=2, dilation=2), (4, 16, 16)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 8, 4, stride=2, padding=1), (3, 9, 7)),
    "bilinear upsampling": (lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 3)), (3, 8, 8)),
    "attention": (lambda: Function(lambda self, x: (x @ x.mT).softmax(-1) @ x), (3, 6, 5)),
    "product of weights": (lambda: Function(low_rank, a=nn.Linear(4, 10), b=nn.Linear(192, 4)), (3, 8, 8)),
    "computed weights": (lambda: nn.Sequential(parametrizations.orthogonal(nn.Conv2d(3, 4, 3)), nn.ReLU()), (3, 8, 8)),
}


@pytest.mark.parametrize("name", COUNTED)
def test_multiply_adds_are_half_the_flops_that_torch_counts(name):
    build, shape = COUNTED[name]
    model = build().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *shape))
    assert counter.get_total_flops() > 0
    assert bind(model, input_shape=shape).layers.macs * 2 == counter.get_total_flops()


class TestParameters:
    def test_a_layer_used_twice_counts_its_parameters_once(self):
        conv = nn.Conv2d(3, 3, 1)
        table = bind(nn.Sequential(conv, conv), input_shape=(3, 4, 4)).layers
        assert [(row.name, row.parameters) for row in table] == [("0", 12), ("0:2", 0)]

    def test_weights_used_by_a_function_count_for_the_function(self):
        model = Function(lambda self, x: F.conv2d(x, self.conv.weight), conv=nn.Conv2d(3, 2, 3))
        (row,) = bind(model, input_shape=(3, 4, 4)).layers
        assert (row.name, row.parameters, row.weight) == ("conv2d", 54, "conv.weight")

    def test_weights_that_are_computed_first_count_for_the_layer_that_uses_them(self):
        model = Function(lambda self, x: F.conv2d(x, self.conv.weight * 2, self.conv.bias), conv=nn.Conv2d(3, 2, 3))
        (row,) = bind(model, input_shape=(3, 4, 4)).layers
        assert row.parameters == 56

    def test_looking_at_a_weights_shape_does_not_use_it(self):
        model = Function(lambda self, x: self.conv(F.relu(x) * self.conv.weight.shape[0]), conv=nn.Conv2d(3, 2, 3))
        assert [row.parameters for row in bind(model, input_shape=(3, 4, 4)).layers] == [0, 0, 56]

    @pytest.mark.parametrize("make", [parametrizations.weight_norm, parametrizations.spectral_norm])
    def test_a_normed_layer_keeps_its_kind_its_weight_and_all_its_parameters(self, make):
        conv = make(nn.Conv2d(3, 4, 3))
        (row,) = bind(nn.Sequential(conv), input_shape=(3, 8, 8)).layers
        assert (row.kind, row.weight) == ("Conv2d", "0.weight")
        assert row.parameters == sum(p.numel() for p in conv.parameters())

    def test_auxiliary_classifiers_that_evaluation_skips_are_in_no_row(self):
        net = bind(cheap(models.googlenet, init_weights=False), input_shape=(3, 64, 64))
        skipped = sum(p.numel() for aux in (net.module.aux1, net.module.aux2) for p in aux.parameters())
        assert sum(row.parameters for row in net.layers) == net.parameters - skipped < net.parameters
        assert not [name for name in net.layers.names if name.startswith("aux")]


class TestFilters:
    def test_a_linear_layer_after_flattening_weighs_the_map(self):
        table = bind(LeNet5(), input_shape=(1, 32, 32)).layers
        assert [table[name].input_map for name in ("conv1", "fc1", "fc2")] == [None, (16, 5, 5), None]

    def test_dropout_between_flattening_and_the_linear_layer_changes_nothing(self):
        model = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(48, 2))
        assert bind(model, input_shape=(3, 4, 4)).layers["2"].input_map == (3, 4, 4)

    @pytest.mark.parametrize(
        "flatten",
        [lambda x: x.reshape(-1, 16), lambda x: x.permute(0, 2, 3, 1).flatten(1)[:, :16], lambda x: x.flatten(1)[:, :16]],
        ids=["one row a channel", "channels last", "a part"],
    )
    def test_a_linear_layer_on_anything_else_than_the_flattened_map_weighs_no_map(self, flatten):
        model = Function(lambda self, x: self.fc(flatten(x)), fc=nn.Linear(16, 2))
        assert bind(model, input_shape=(3, 4, 4)).layers["fc"].input_map is None

    def test_filters_are_the_weights_of_convolutions_and_linear_layers_alone(self):
        table = bind(Residual(), input_shape=(3, 16, 16)).layers
        assert [row.weight for row in table.weighted] == ["conv1.weight", "conv2.weight", "fc.weight"]


class TestRows:
    def test_there_is_a_row_a_call_in_execution_order(self):
        names = bind(Residual(), input_shape=(3, 16, 16)).layers.names
        assert names == (["conv1", "bn1", "relu", "conv2", "add", "relu:2", "add:2", "relu:3", "cat", "drop", "mean", "fc"])

    @pytest.mark.parametrize(
        ("function", "kind"),
        [
            (lambda x: x + 1, "add"),
            (lambda x: 1 + x, "add"),
            (lambda x: x.add_(1), "add"),
            (lambda x: torch.add(x, 1), "add"),
            (lambda x: x - 1, "sub"),
            (lambda x: 1 - x, "sub"),
            (lambda x: x * 2, "mul"),
            (lambda x: x / 2, "div"),
            (lambda x: 2 / x, "div"),
            (lambda x: x.div_(2), "div"),
            (lambda x: -x, "neg"),
            (lambda x: abs(x), "abs"),
            (lambda x: x**2, "pow"),
            (lambda x: 2**x, "pow"),
            (lambda x: x @ x, "matmul"),
            (lambda x: x[:, :2], "getitem"),
            (F.relu, "relu"),
            (F.relu_, "relu"),
            (torch.relu, "relu"),
            (torch.Tensor.relu, "relu"),
            (lambda x: F.max_pool2d(x, 2), "max_pool2d"),
            (lambda x: F.adaptive_avg_pool2d(x, 1), "adaptive_avg_pool2d"),
            (lambda x: torch.cat([x, x], 1), "cat"),
            (lambda x: x.flatten(1), "flatten"),
        ],
    )
    def test_each_way_to_write_an_operation_has_its_plain_name(self, function, kind):
        (row,) = bind(Function(lambda self, x: function(x)), input_shape=(3, 4, 4)).layers
        assert (row.name, row.kind) == (kind, kind)

    @pytest.mark.parametrize("operation", ["__iadd__", "__isub__", "__imul__", "__itruediv__"])
    def test_augmented_assignment_is_the_plain_operation(self, operation):
        model = Function(lambda self, x: getattr(x, operation)(2))
        (row,) = bind(model, input_shape=(3, 4, 4)).layers
        assert row.kind == {"__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div"}[operation]

    def test_functions_are_named_after_the_block_that_calls_them(self):
        table = bind(cheap(models.resnet18), input_shape=(3, 64, 64)).layers
        assert {"layer1.0.relu", "layer1.0.add", "layer1.0.relu:2", "layer4.1.add", "flatten"} <= set(table.names)

    def test_what_is_computed_from_weights_and_constants_alone_is_no_row(self):
        def forward(self, x):
            mask = torch.zeros(4, 4)
            mask[:2] = 1
            grid = torch.linspace(-1, 1, 4).view(1, 1, 1, 4).expand(1, 1, 4, 4)
            return self.conv(torch.cat([x * mask, grid + torch.ones_like(x[:, :1])], 1))

        table = bind(Function(forward, conv=nn.Conv2d(4, 2, 3)), input_shape=(3, 4, 4)).layers
        assert [row.kind for row in table] == ["mul", "getitem", "cat", "Conv2d"]

    def test_a_buffer_filled_piece_by_piece_does_not_hide_the_layers_behind_it(self):
        def forward(self, x):
            out = x.new_zeros(len(x), 4, 6, 6)
            out[:, :2], out[:, 2:] = self.a(x), self.b(x)
            return F.relu(out)

        table = bind(Function(forward, a=nn.Conv2d(3, 2, 3), b=nn.Conv2d(3, 2, 3)), input_shape=(3, 8, 8)).layers
        assert table.names[-3:] == ["a", "b", "relu"]

    def test_a_tensor_that_an_earlier_pass_left_on_the_model_hides_no_row(self):
        def forward(self, x):
            for _ in range(5):  # each lets go of the memory of the one before
                x = self.last = F.relu(x)
            return x

        model = Function(forward)
        model(torch.zeros(1, 3, 4, 4))
        assert len(bind(model, input_shape=(3, 4, 4)).layers) == 5

    def test_the_source_finds_each_call_again(self):
        """Replays the pass with plain hooks and a plain function mode that count calls, as the fields document."""
        torch.manual_seed(0)
        model = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 3, 3, padding=1)), Residual()).eval()
        image = torch.rand(1, 3, 16, 16)
        net = bind(model, input_shape=(3, 16, 16))
        found, count = {}, {}

        def saw(kind, name, output):
            count[kind, name] = count.get((kind, name), 0) + 1
            found[kind, name, count[kind, name]] = output.clone() if isinstance(output, torch.Tensor) else None

        class Replay(TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                output = func(*args, **kwargs or {})
                saw("function", getattr(func, "__name__", ""), output)
                return output

        for name, part in model.named_modules():

            def hook(module, args, output, name=name):
                with torch._C.DisableTorchFunction():
                    saw("module", name, output)

            part.register_forward_hook(hook)
        with torch.no_grad(), Replay():
            model(image)
        maps = net.trace(image)
        assert {row.name for row in net.layers if not torch.equal(found[row.source], maps[row.name])} == set()


class TestLayout:
    @pytest.mark.parametrize(
        ("function", "layout", "map_shape"),
        [
            (F.relu, "map", (3, 4, 6)),
            (lambda x: F.relu(x.permute(0, 2, 3, 1)), "map, channels last", (3, 4, 6)),
            (lambda x: x.flatten(1), "vector", (72, 1, 1)),
            (lambda x: x.flatten(2).transpose(1, 2), "tokens", (3, 4, 6)),
            (lambda x: x.flatten(2), "sequence", (3, 4, 6)),
            (lambda x: x.flatten(2).flip(2).transpose(1, 2), "tokens", (3, 1, 24)),
        ],
        ids=["map", "channels last", "vector", "tokens", "sequence", "tokens in another order"],
    )
    def test_the_layout_says_where_the_units_are(self, function, layout, map_shape):
        row = bind(Function(lambda self, x: function(x)), input_shape=(3, 4, 6)).layers[-1]
        assert (row.layout, row.map_shape) == (layout, map_shape)
        assert row.is_map == (layout in ("map", "map, channels last")) == (row.receptive_field is not None)

    def test_what_is_neither_map_nor_vector_nor_tokens_says_so(self):
        row = bind(Function(lambda self, x: x.reshape(1, 3, 2, 2, 6)), input_shape=(3, 4, 6)).layers[-1]
        assert (row.layout, row.has_units) == ("other", False)
        with pytest.raises(ValueError, match="reshape gives 3×2×2×6 values: neither maps, nor units, nor tokens"):
            _ = row.map_shape

    def test_tokens_of_a_transformer_are_no_maps_and_the_table_says_so(self):
        model = models.VisionTransformer(32, 16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=3)
        table = bind(model, input_shape=(3, 32, 32)).layers
        row = table["encoder.ln"]
        assert (row.layout, row.output_shape, row.receptive_field) == ("tokens", (1 + 4, 8), None)
        assert "5×8 tokens" in repr(table) and "no map" in repr(table)


class TestPlaces:
    """Positions of a map and pixels of the picture, by the center of what a position sees."""

    @pytest.mark.parametrize(
        ("layer", "pixel"),
        [("conv1", (2 + 3, 2 + 5)), ("max_pool2d", (2.5 + 2 * 3, 2.5 + 2 * 5)), ("conv2", (6.5 + 2 * 3, 6.5 + 2 * 5))],
    )
    def test_the_pixel_of_a_position_is_the_center_of_its_field(self, layer, pixel):
        row = bind(LeNet5(), input_shape=(1, 32, 32)).layers[layer]
        assert row.to_pixel(3, 5, (32, 32)) == pixel

    @pytest.mark.parametrize("model", [nn.AdaptiveAvgPool2d((4, 6)), nn.GroupNorm(1, 3), nn.AdaptiveAvgPool2d(1)], ids=str)
    def test_where_everything_is_seen_the_pixel_is_the_proportional_place(self, model):
        (row,) = bind(model, input_shape=(3, 8, 12)).layers
        down, right = (8, 12)[0] / row.output_shape[1], 12 / row.output_shape[2]
        assert row.to_pixel(0, 0, (8, 12)) == ((down - 1) / 2, (right - 1) / 2)

    @pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "vit"])
    def test_every_position_comes_back_from_its_pixel(self, name):
        vit = models.VisionTransformer(64, 16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=3)
        net = bind(vit if name == "vit" else cheap(getattr(models, name)), input_shape=(3, 64, 64))
        for row in net.layers:
            if row.has_units:
                _, height, width = row.map_shape
                places = [(i, j) for i in range(height) for j in range(width)]
                assert [row.to_position(*row.to_pixel(*place, (64, 64)), (64, 64)) for place in places] == places

    def test_a_pixel_beyond_the_map_has_the_nearest_position(self):
        row = bind(LeNet5(), input_shape=(1, 32, 32)).layers["conv2"]
        assert [row.to_position(*pixel, (32, 32)) for pixel in ((0, 31), (-5, 16), (99, 6.5))] == [(0, 9), (0, 5), (9, 0)]


class TestTable:
    table = property(lambda self: bind(LeNet5(), input_shape=(1, 32, 32)).layers)

    def test_rows_are_found_by_name_by_position_and_by_slice(self):
        table = self.table
        assert table["conv2"] is table[3]
        assert table[-1].name == "fc3"
        assert [row.name for row in table[:2]] == ["conv1", "relu"]
        assert "conv2" in table and table[3] in table and "conv3" not in table

    def test_a_blocks_name_stands_for_the_call_that_ends_it(self):
        table = bind(cheap(models.resnet18), input_shape=(3, 64, 64)).layers
        assert table["layer1.0"].name == table["layer1.0.relu:2"].name == "layer1.0.relu:2"
        assert table["layer4"].name == "layer4.1.relu:2"

    @pytest.mark.parametrize(("wrong", "right"), [("conv_1", "conv1"), ("Conv2", "conv2"), ("relu2", "relu:2")])
    def test_a_misspelled_layer_offers_the_nearest_name(self, wrong, right):
        with pytest.raises(KeyError) as caught:
            self.table[wrong]
        assert str(caught.value).startswith(f"the network has no layer {wrong!r}. Did you mean ")
        assert repr(right) in str(caught.value)

    def test_a_name_like_no_other_offers_nothing(self):
        with pytest.raises(KeyError) as caught:
            self.table["zzz"]
        assert str(caught.value) == "the network has no layer 'zzz'."

    def test_it_prints_one_line_a_row_with_its_numbers(self):
        lines = repr(self.table).splitlines()
        assert len(lines) == 1 + len(self.table)
        assert lines[1].split() == ["conv1", "Conv2d", "6×28×28", "156", "117,600", "5×5"]

    def test_names_with_html_in_them_are_text(self):
        model = nn.Sequential(OrderedDict({"<img onerror=x>": nn.ReLU()}))
        html = bind(model, input_shape=(1, 2, 2)).layers._repr_html_()
        assert "&lt;img onerror=x&gt;" in html and "<img" not in html
