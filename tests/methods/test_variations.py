"""A task that varies: what a spec says of model, weights, data and loss is what the training gets."""

from __future__ import annotations

import json
import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

import cnnwidgets as cw
from cnnwidgets.methods import BUILDERS, Task, race, vary
from cnnwidgets.methods.in_memory import Pictures
from cnnwidgets.methods.in_memory import loader as in_batches
from cnnwidgets.methods.variations import settled
from cnnwidgets.methods.variations.data import noisy, subset
from cnnwidgets.methods.variations.loss import Focal
from cnnwidgets.methods.variations.tasks import project
from cnnwidgets.samples import MLP, Stack
from tests.methods.learning import loader, net, others


def ten_classes(size: int = 200, seed: int = 0) -> Pictures:
    """Pictures 3x8x8 of ten classes, whose mean and std are known."""
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.rand(size, 3, 8, 8, generator=generator)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    standardized = (pictures - torch.tensor(mean).reshape(3, 1, 1)) / torch.tensor(std).reshape(3, 1, 1)
    return Pictures(standardized, torch.arange(size) % 10, mean, std)


class Small(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8), nn.ReLU(), nn.Linear(8, 10))


def small() -> Task:
    return Task(Small, in_batches(ten_classes(), 50), in_batches(ten_classes(60, 1), 30, shuffle=False))


def all_of(batches) -> tuple[torch.Tensor, torch.Tensor]:
    pictures, labels = zip(*batches, strict=True)
    return torch.cat(pictures), torch.cat(labels)


# a spec


SPECS = [
    {"model": "stack", "init": "zero", "lr": 0.1},
    {"model": {"builder": "mlp", "hidden": [3], "inputs": 192}, "kind": "cosine"},
    {"data": {"size": 100, "label_noise": 0.5, "augment": "flip", "strength": 0.25}, "regularize": {"dropout": 0.5}},
    {"init": {"scheme": "kaiming", "by_layer": {"5": "orthogonal"}}, "freeze": "0"},
    {"loss": {"name": "huber", "delta": 0.5}, "until": {"steps": 2}},
    {"tasks": {"heads": {"class": 10, "turn": 4}, "by": "project", "weights": {"turn": 2}}},
]


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_comes_back_through_json_and_settles_once(spec):
    found = settled(spec)
    assert json.loads(json.dumps(found)) == found
    assert settled(found) == found


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "size": st.integers(1, 200),
            "label_noise": st.floats(0, 1),
            "imbalance": st.floats(1, 100),
            "order": st.sampled_from(["shuffled", "given", "by class"]),
            "augment": st.lists(st.sampled_from(["flip", "shift", "noise"]), max_size=2),
            "pixels": st.sampled_from(["standardized", "0..1", "0..255"]),
            "seed": st.integers(0, 2**32 - 1),
        },
    )
)
@settings(max_examples=50, deadline=None)
def test_any_data_come_back_through_json(data):
    found = settled({"data": data})
    assert json.loads(json.dumps(found)) == found == settled(json.loads(json.dumps(found)))


def test_nothing_varied_is_the_task_itself():
    given = small()
    assert vary(given) is given
    assert vary(given, until={"steps": 3}) is given


def test_what_is_not_varied_trains_to_the_same_bit():
    given = small()
    plain = race(given, [{"kind": "constant", "lr": 0.05}], steps=2).histories[0]
    for same in (
        {"data": {"seed": 3}},
        {"data": {"size": 200}},
        {"loss": "cross_entropy"},
        {"regularize": {"weight_decay": 0.0}},
    ):
        found = race(given, [{"kind": "constant", "lr": 0.05, **same}], steps=2).histories[0]
        assert found.loss.tolist() == plain.loss.tolist()
        assert found.validation_loss.tolist() == plain.validation_loss.tolist()


@pytest.mark.parametrize("spec", SPECS[2:])
def test_the_printed_lines_give_the_same_validations(spec):
    given = small()
    found = race(given, [{"lr": 0.02, **spec}], steps=3)
    space = {"own": given}
    torch.manual_seed(123)
    exec(found.code(given).replace("cw.methods.Task(model, loader, validation_loader)  # yours", "own"), space)
    assert [*space["values"].values()] == [found.histories[0].validation_accuracy.tolist()]


@pytest.mark.parametrize("spec", SPECS)
def test_a_varied_task_goes_to_another_process_and_varies_its_own(spec):
    there = pickle.loads(pickle.dumps(vary(small(), **settled(spec))))
    assert there.what == settled(spec)


def test_a_function_of_your_own_is_raced_and_told_by_its_name():
    def narrow():
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 10))

    found = race(small(), [{"model": narrow, "lr": 0.01}, {"lr": 0.01, "name": "as it is", "kind": "constant"}], steps=1)
    assert found.names == ["narrow", "as it is"]
    assert found.histories[0].spec["model"] == {"builder": "narrow"}
    assert sum(p.numel() for p in found.histories[0].module().parameters()) == 1930


# the model


def test_every_builder_is_what_it_says():
    with torch.random.fork_rng(devices=[]):
        for name, builder in BUILDERS.items():
            assert vary(small(), model=name).what["model"] == {"builder": name}
            assert isinstance(builder(), nn.Module)


@pytest.mark.parametrize("depth", [4, 8, 20])
@pytest.mark.parametrize("residual", [False, True])
def test_a_stack_has_so_many_layers_with_weights_and_shortcuts_add_none(depth, residual):
    network = Stack(depth, residual, channels=5, inputs=3)
    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(layers) == depth
    assert sum(p.numel() for p in network.parameters()) == sum(
        p.numel() for p in Stack(depth, channels=5, inputs=3).parameters()
    )
    adds = [layer for layer in cw.bind(network, input_shape=(3, 8, 8)).layers if "add" in layer.kind.lower()]
    assert len(adds) == (depth - 2) // 2 * residual


def test_an_mlp_of_identities_is_one_matrix():
    network = MLP((7, 5), "identity", inputs=6, classes=3)
    x, zero = torch.randn(4, 6), network(torch.zeros(1, 6))
    matrix = torch.stack([network(row[None])[0] - zero[0] for row in torch.eye(6)], 1)
    torch.testing.assert_close(network(x), x @ matrix.T + zero)


# the data


@given(st.integers(2, 400), st.floats(0, 1), st.integers(2, 10), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_exactly_that_share_of_the_labels_is_wrong(size, share, classes, seed):
    labels = torch.arange(size) % classes
    found = noisy(labels, share, seed)
    classes = int(labels.max()) + 1
    assert int((found != labels).sum()) == round(share * size)
    assert found.min() >= 0 and found.max() < classes
    assert torch.equal(found, noisy(labels, share, seed))


def test_wrong_labels_are_spread_over_all_other_classes():
    labels = torch.zeros(9000, dtype=torch.int64)
    labels[0] = 9
    counts = noisy(labels, 1.0, 0)[1:].bincount(minlength=10)
    assert counts[0] == 0
    assert (counts[1:] - 1000).abs().max() < 5 * math.sqrt(1000 * 8 / 9)  # five standard deviations


@given(st.floats(1, 50), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_the_first_class_has_so_many_times_more_pictures_than_the_last(ratio, seed):
    labels = torch.arange(1000) % 10
    counts = labels[subset(labels, None, ratio, seed)].bincount(minlength=10)
    assert counts.tolist() == [max(1, round(100 * ratio ** (-k / 9))) for k in range(10)]


def test_a_part_of_the_data_is_a_part_and_too_much_is_refused():
    found = subset(torch.arange(50), 20, 1.0, 0)
    assert len(found.unique()) == 20
    assert torch.equal(found, found.sort().values)
    with pytest.raises(ValueError, match=r"data\['size'\] is 51, but there are 50 training pictures"):
        subset(torch.arange(50), 51, 1.0, 0)


def test_labels_are_shifted_round_and_sorted_and_test_images_stay():
    varied = vary(small(), data={"label_shift": 3, "order": "by class"})
    pictures, labels = all_of(varied.loader)
    assert torch.equal(labels, labels.sort().values)
    given = ten_classes()
    for picture, label in zip(pictures[::20], labels[::20].tolist(), strict=True):
        (k,) = torch.nonzero((given.pictures == picture).all((1, 2, 3)))[0].tolist()
        assert label == (k % 10 + 3) % 10
    assert torch.equal(all_of(varied.validation_loader)[1], ten_classes(60, 1).labels)


@pytest.mark.parametrize("pixels, low, high", [("0..1", 0.0, 1.0), ("0..255", 0.0, 255.0)])
def test_raw_pixels_are_those_before_the_preprocessing(pixels, low, high):
    varied = vary(small(), data={"pixels": pixels, "order": "given"})
    generator = torch.Generator().manual_seed(0)
    torch.testing.assert_close(
        all_of(varied.loader)[0], high * torch.rand(200, 3, 8, 8, generator=generator), atol=1e-4, rtol=1e-5
    )
    assert all_of(varied.validation_loader)[0].max() > high / 2
    odd = vary(small(), data={"test_pixels": pixels, "order": "given"})
    assert torch.equal(all_of(odd.loader)[0], ten_classes().pictures)
    assert all_of(odd.validation_loader)[0].min() >= low - 1e-6


@pytest.mark.parametrize("name", ["flip", "rotate", "shift", "scale", "crop", "color", "blur", "noise", "erase"])
def test_an_augmentation_changes_training_pictures_and_at_strength_0_none(name):
    pictures = ten_classes().pictures
    strong = vary(small(), data={"augment": [name], "strength": 1.0, "order": "given"})
    weak = vary(small(), data={"augment": [name], "strength": 0.0, "order": "given"})
    torch.manual_seed(0)
    changed, _ = all_of(strong.loader)
    assert strong.draws
    assert (changed != pictures).flatten(1).any(1).double().mean() > 0.9
    assert changed.shape == pictures.shape
    if name not in ("blur", "crop", "erase"):  # which at their weakest still sample anew, or by chance
        torch.testing.assert_close(all_of(weak.loader)[0], pictures, atol=1e-4, rtol=1e-4)
    assert torch.equal(all_of(strong.validation_loader)[0], ten_classes(60, 1).pictures)
    wrong = vary(small(), data={"augment": [name], "strength": 1.0, "augment_test": True})
    assert not torch.equal(all_of(wrong.validation_loader)[0], ten_classes(60, 1).pictures)


def test_augmented_runs_are_the_same_for_the_same_seed_and_leave_the_global_numbers_alone():
    spec = {"lr": 0.02, "data": {"augment": ["rotate", "noise"]}, "regularize": {"dropout": 0.2}}
    state = torch.get_rng_state()
    first, second = (race(small(), [spec, spec], steps=2).histories[k] for k in (0, 1))
    assert first.loss.tolist() == second.loss.tolist()
    assert torch.equal(torch.get_rng_state(), state)


class Drawing(Dataset):
    """A data set that changes its pictures by chance itself."""

    def __len__(self):
        return 20

    def __getitem__(self, i):
        return torch.randn(3, 8, 8), i % 10


@pytest.mark.parametrize(
    "loader, error, sentence",
    [
        (
            [(torch.zeros(2, 3, 8, 8), torch.zeros(2))],
            TypeError,
            "the training loader is .*; expected a DataLoader over a data set",
        ),
        (DataLoader(Drawing(), 5), ValueError, "changes its pictures by chance"),
        (DataLoader(TensorDataset(torch.zeros(9, 3, 8, 8), torch.zeros(9)), 3), ValueError, "is for class numbers"),
    ],
)
def test_data_that_cannot_be_varied_are_refused(loader, error, sentence):
    given = Task(Small, loader, others())
    with pytest.raises(error, match=sentence):
        vary(given, data={"label_noise": 0.5})


# the network


def test_frozen_layers_stay_and_all_others_learn():
    found = race(small(), [{"lr": 0.1, "freeze": ["0", "3"], "momentum": 0.9}], steps=2).histories[0]
    start, end = vary(small(), freeze=["0", "3"]).stream(0)[0], found.module("last")
    for name, weight in end.named_parameters():
        assert torch.equal(weight, dict(start.named_parameters())[name]) == (name[0] in "03")


def test_dropout_goes_where_it_is_or_in_front_of_linear_layers_and_names_stay():
    own = vary(Task(net(), loader(), others()), regularize={"dropout": 0.7}).start()
    assert own[4].p == 0.7
    made = vary(small(), regularize={"dropout": 0.5}).start()
    assert made.state_dict().keys() == Small().state_dict().keys()
    x = torch.randn(7, 3, 8, 8)
    torch.manual_seed(5)
    got = made.train()(x)
    torch.manual_seed(5)
    middle = F.dropout(made[1](made[0](x)).flatten(1), 0.5)
    hidden = F.dropout(F.relu(F.linear(middle, made[3].weight, made[3].bias)), 0.5)
    torch.testing.assert_close(got, F.linear(hidden, made[5].weight, made[5].bias))
    made.eval()
    torch.testing.assert_close(made(x), made[5](made[4](made[3](made[1](made[0](x)).flatten(1)))))


def test_batch_norm_comes_after_every_convolution_or_goes():
    made = vary(small(), regularize={"batch_norm": True}).start()
    x = torch.randn(7, 3, 8, 8)
    by_hand = F.batch_norm(F.conv2d(x, made[0].weight, made[0].bias), None, None, training=True)
    torch.testing.assert_close(made[0](x), by_hand)
    without = vary(small(), model={"builder": "stack", "inputs": 3}, regularize={"batch_norm": False}).start()
    assert not [m for m in without.modules() if isinstance(m, nn.BatchNorm2d)]


def test_the_first_weights_are_those_of_torch_s_own_functions():
    made = vary(small(), init="xavier").stream(4)[0]
    torch.manual_seed(4)
    expected = Small()
    for layer in (expected[0], expected[3], expected[5]):
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), expected.parameters(), strict=True))


# the loss


@given(st.floats(0, 5), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_focal_loss_is_its_formula(gamma, seed):
    generator = torch.Generator().manual_seed(seed)
    scores, labels = torch.randn(9, 4, generator=generator, dtype=torch.float64), torch.arange(9) % 4
    p = scores.softmax(1)[torch.arange(9), labels]
    torch.testing.assert_close(Focal(gamma)(scores, labels), (-((1 - p) ** gamma) * p.log()).mean())
    torch.testing.assert_close(Focal(0.0)(scores, labels), F.cross_entropy(scores, labels))


@pytest.mark.parametrize(
    "name, distance", [("mse", F.mse_loss), ("l1", F.l1_loss), ("huber", partial(F.huber_loss, delta=0.5))]
)
def test_distances_are_from_one_hot_labels_or_from_the_number(name, distance):
    told = {"name": name, **({"delta": 0.5} if name == "huber" else {})}
    scores, labels = torch.randn(6, 10), torch.arange(6)
    torch.testing.assert_close(vary(small(), loss=told).criterion(scores, labels), distance(scores, torch.eye(10)[:6]))
    number = vary(small(), loss={**told, "target": "number"})
    assert number.start()(torch.zeros(2, 3, 8, 8)).shape == (2, 1)
    torch.testing.assert_close(number.criterion(scores[:, :1], labels), distance(scores[:, 0], labels.float()))
    assert number.criterion.accuracy(torch.tensor([[0.4], [1.6], [2.4]]), torch.arange(3)) == pytest.approx(2 / 3)


def test_label_smoothing_is_torch_s():
    scores, labels = torch.randn(6, 10), torch.arange(6)
    found = vary(small(), regularize={"label_smoothing": 0.1}).criterion(scores, labels)
    assert found == F.cross_entropy(scores, labels, label_smoothing=0.1)


# several heads


@given(st.integers(2, 4), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_projected_gradients_of_two_tasks_do_not_point_against_each_other(dimensions, seed):
    gradients = torch.randn(2, dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    a, b = gradients
    found = project(gradients)
    if a @ b >= 0:
        assert torch.equal(found, gradients)
    else:
        torch.testing.assert_close(found[0] @ b, torch.zeros((), dtype=torch.float64), atol=1e-9, rtol=0)
        torch.testing.assert_close(found[0], a - (a @ b) / (b @ b) * b)
        torch.testing.assert_close(found[1], b - (a @ b) / (a @ a) * a)


@pytest.mark.parametrize("by", ["sum", "random", "gate", "project"])
def test_heads_are_joined_as_their_name_says(by):
    heads = {"class": 10, "turn": 4}
    varied = vary(small(), tasks={"heads": heads, "by": by, "weights": {"turn": 2.0}})
    network, criterion = varied.start(), varied.criterion
    pictures, labels = next(iter(varied.loader))
    assert labels.shape == (50, 2)
    scores = network(pictures)
    parts = [F.cross_entropy(scores[:, :10], labels[:, 0]), 2 * F.cross_entropy(scores[:, 10:], labels[:, 1])]
    with torch.no_grad():
        torch.testing.assert_close(criterion(scores.detach(), labels), sum(parts).detach())
    torch.manual_seed(0)
    loss = criterion(scores, labels)
    torch.manual_seed(0)
    weights = [*network.parameters()]
    each = [torch.autograd.grad(part, weights, retain_graph=True) for part in parts]
    if by == "random":
        expected = each[int(torch.randint(2, ()))]
    elif by == "gate":
        own = torch.randint(2, (50,))
        rows = [F.cross_entropy(scores[:, :10], labels[:, 0], reduction="none")]
        rows += [2 * F.cross_entropy(scores[:, 10:], labels[:, 1], reduction="none")]
        expected = torch.autograd.grad(torch.where(own == 0, *rows).mean(), weights, retain_graph=True)
    elif by == "project":
        flat = torch.stack([torch.cat([g.flatten() for g in some]) for some in each])
        expected = project(flat).sum(0).split([w.numel() for w in weights])
    else:
        expected = [a + b for a, b in zip(*each, strict=True)]
    criterion.backward(loss, network)
    for weight, gradient in zip(weights, expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient.reshape(weight.shape), atol=1e-6, rtol=1e-4)


def test_a_quarter_turn_is_the_label_of_its_head_and_each_head_has_its_accuracy():
    varied = vary(small(), tasks={"heads": {"turn": 4, "class": 10}})
    pictures, labels = all_of(varied.validation_loader)
    given = ten_classes(60, 1)
    assert torch.equal(labels[:, 1], given.labels)
    for picture, original, turn in zip(pictures, given.pictures, labels[:, 0].tolist(), strict=True):
        assert torch.equal(picture, torch.rot90(original, turn, (1, 2)))
    found = race(small(), [{"lr": 0.02, "tasks": {"heads": {"turn": 4, "class": 10}}}], steps=2).histories[0]
    assert {*found.measures} == {"turn", "class"}
    np.testing.assert_allclose((found.measures["turn"] + found.measures["class"]) / 2, found.validation_accuracy)


# what is wrong


@pytest.mark.parametrize(
    "varied, error, sentence",
    [
        ({"model": "lenet"}, ValueError, "there is no builder 'lenet': use .* Did you mean 'lenet5'"),
        ({"model": {"builder": "stack", "dept": 8}}, TypeError, "builder 'stack' takes no 'dept'. Did you mean 'depth'"),
        ({"model": {"builder": "stack", "depth": 7}}, ValueError, "depth is 7; expected an even number of at least 4"),
        ({"init": "xavie"}, ValueError, "Did you mean 'xavier'"),
        ({"data": {"siz": 3}}, TypeError, "data has no 'siz'. Did you mean 'size'"),
        ({"data": {"augment": ["flp"]}}, ValueError, "no augmentation 'flp': use .* Did you mean 'flip'"),
        ({"data": {"label_noise": 1.5}}, ValueError, r"data\['label_noise'\] is 1.5; expected a number from 0 to 1"),
        ({"freeze": "conv9"}, ValueError, "no layer's name begins with 'conv9'"),
        ({"freeze": ["0", "3", "5"]}, ValueError, "nothing is left to train"),
        ({"freeze": 3}, TypeError, "freeze is 3; expected names of layers"),
        ({"loss": "focl"}, ValueError, "loss is 'focl'; expected one of"),
        ({"loss": {"name": "mse", "gamma": 2.0}}, TypeError, "mse takes no gamma; focal does"),
        ({"loss": "mse", "regularize": {"label_smoothing": 0.1}}, ValueError, "label smoothing is for cross-entropy"),
        ({"tasks": {"heads": {"class": 10}}}, TypeError, "expected a dict with heads"),
        ({"tasks": {"heads": {"class": 10, "turn": 3}}}, ValueError, "expected 4 quarter turns"),
        ({"tasks": {"heads": {"class": 10, "turn": 4}, "by": "sums"}}, ValueError, "by.* is 'sums'; expected one of"),
        ({"regularize": {"batch_norm": True}, "model": {"builder": "mlp", "inputs": 192}}, ValueError, "has no convolution"),
        ({"until": {"second": 3}}, TypeError, "until has no 'second'. Did you mean 'seconds'"),
    ],
)
def test_what_does_not_exist_or_does_not_fit_is_told(varied, error, sentence):
    with pytest.raises(error, match=sentence):
        race(small(), [{"lr": 0.1, **varied}], steps=1)


# when it ends


def test_a_run_ends_by_its_own_steps_patience_or_seconds():
    specs = [
        {"lr": 0.05, "until": {"steps": 2}},
        {"lr": 0.05, "until": {"seconds": 0.0}},
        {"lr": 1e-9, "until": {"patience": 1, "min_delta": 1.0}},
        {"lr": 0.05, "kind": "constant"},
    ]
    steps, seconds, patience, whole = race(small(), specs, steps=4).histories
    assert (len(steps.ends), steps.stopped) == (2, "")
    assert steps.loss.tolist() == whole.loss[:8].tolist()
    assert (len(seconds.loss), seconds.stopped) == (1, "has trained for 0 s")
    assert patience.stopped == "was stopped early after epoch 2"


def test_weight_decay_may_be_told_among_what_regularizes():
    a, b = race(
        small(), [{"lr": 0.1, "regularize": {"weight_decay": 0.1}}, {"kind": "constant", "weight_decay": 0.1}], steps=2
    ).histories
    assert a.loss.tolist() == b.loss.tolist()
    assert a.spec["weight_decay"] == 0.1
