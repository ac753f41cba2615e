"""Maximized pictures: closed forms on linear networks, a picture alone and beside others, the bundled network's classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import MAXIMIZE_PRESETS, Ascending, maximize
from cnnwidgets.methods.ascent import UNKNOWN_RANGE, Ascent
from cnnwidgets.methods.objectives import diversity, inversion, layer, target, unit
from cnnwidgets.methods.regularizers import L2, Blur, ClipSmall, Jitter, RotateAndScale
from cnnwidgets.net.preprocess import Preprocess
from tests.methods.small import bound, picture
from tests.net.networks import CancelAt, Function, unchanged

SHAPE = 3, 6, 5
PLAIN = {"image": "pixels", "start": "zeros", "rule": "gradient", "regularizers": ()}


def linear(mean=(0.5,) * 3, std=(0.25,) * 3):
    """A network with the score w . x, and w (3, 6, 5)."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(90, 2, bias=False))
    return cw.bind(model, preprocess=Preprocess(SHAPE, mean, std), input_shape=SHAPE), model[1].weight.detach()


# closed forms


@pytest.mark.parametrize("rule", ["gradient", "adam"])
def test_under_an_l2_penalty_a_linear_score_has_its_maximum_at_w_over_two_lambda(rule):
    net, weight = linear()
    strength = 0.04  # w is below 0.11: w / (2 * 0.04) reaches no edge of the box from -2 to 2
    found = maximize(net, target(1), steps=400, **{**PLAIN, "rule": rule, "regularizers": [L2(strength)]},
                     lr=0.5 if rule == "gradient" else 0.01)  # fmt: skip
    best = weight[1].reshape(SHAPE) / (2 * strength)
    assert best.abs().max() < 2
    np.testing.assert_allclose(found.input, best, atol=2e-3)
    assert found.score == pytest.approx(float(weight[1] @ best.flatten()), rel=1e-3)


@pytest.mark.parametrize("rule", ["gradient", "normalized gradient", "adam"])
def test_without_a_penalty_it_is_the_corner_of_the_box_that_the_signs_say(rule):
    net, weight = linear()
    found = maximize(net, target(0), steps=200, **{**PLAIN, "rule": rule}, lr={"adam": 0.05}.get(rule, 20.0))
    corner = (weight[0].reshape(SHAPE) > 0).float()
    assert np.array_equal(found.picture, corner.permute(1, 2, 0))
    np.testing.assert_allclose(found.input, 4 * corner - 2, atol=1e-5)


def test_a_step_of_the_normalized_gradient_has_the_size_of_the_learning_rate():
    net, weight = linear(std=(1.0,) * 3)
    found = maximize(net, target(0), steps=1, **{**PLAIN, "rule": "normalized gradient"}, lr=0.01)
    expected = 0.01 * weight[0] / weight[0].square().mean().sqrt()
    np.testing.assert_allclose(found.input.ravel(), expected, rtol=1e-4, atol=1e-7)


def test_adam_takes_the_steps_of_torchs_adam():
    net, x = bound(), picture()
    ascent = Ascent(net, [unit("4", 3)], Ascending("pixels", x.sigmoid(), "adam", 0.01, ()))
    values = ascent.image.values.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([values], lr=0.01, maximize=True)
    for _ in range(5):
        ascent.step()
        (values.grad,) = torch.autograd.grad(net.module[:5](values)[:, 3].mean(), values)
        optimizer.step()
        with torch.no_grad():
            values.clamp_(0, 1)
    np.testing.assert_allclose(ascent.image.values.detach(), values.detach(), atol=1e-5)


def test_the_history_has_the_score_of_each_picture_before_its_step():
    net, frames = bound(), []
    found = maximize(net, unit("4", 3), steps=4, **{**PLAIN, "start": "noise"}, lr=0.1,
                     on_update=lambda part, share: frames.append((part, share)))  # fmt: skip
    assert [share for _, share in frames] == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(found.history[1:], [part.score for part, _ in frames[:-1]], rtol=1e-5)
    assert found.score == frames[-1][0].score > found.history[0]
    assert repr(found) == f"<unit 3 of 4: 12×12×3 picture, score {found.score:.3g} after 4 steps>"


def test_the_score_is_that_of_the_input_that_is_given():
    net = bound()
    found = maximize(net, unit("4", 3) - 0.1 * target(2), steps=5)
    values = net.module[:5](torch.from_numpy(found.input)[None])[0, 3].mean() - 0.1 * net.scores(
        torch.from_numpy(found.input)
    )[0, 2]  # fmt: skip
    assert found.score == pytest.approx(values.item(), rel=1e-4)


# several at once


@pytest.mark.parametrize("image", ["pixels", "fourier", "maco"])
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_a_picture_beside_others_is_the_picture_alone(image, batch_size):
    net, objectives = bound(), [unit("0", 2), unit("5", 3), target(1), unit("4", 1, 2, 2) + 0.2 * layer("0")]
    options = {"image": image, "steps": 6, "seed": 3}
    several = maximize(net, objectives, **options, batch_size=batch_size)
    for objective, found in zip(objectives, several, strict=True):
        alone = maximize(net, objective, **options)
        np.testing.assert_allclose(found.picture, alone.picture, atol=2e-4)
        assert found.score == pytest.approx(alone.score, rel=1e-3)


def test_where_pictures_change_each_other_s_answer_each_is_shown_alone():
    net = cw.bind(Function(lambda self, x: self.fc((x - x.mean(0)).flatten(1) + x.flatten(1)), fc=nn.Linear(75, 3)),
                  input_shape=(3, 5, 5))  # fmt: skip
    several = maximize(net, [target(0), target(1)], steps=3)
    np.testing.assert_array_equal(several[1].picture, maximize(net, target(1), steps=3).picture)
    assert any("depends on the others" in note for note in several[0].notes)
    with pytest.raises(ValueError, match="pictures are compared only where they can be shown together, but the answer"):
        maximize(net, target(0) + diversity("fc"), pictures=2)


def test_several_pictures_of_one_unit_begin_with_other_noise_and_diversity_drives_them_apart():
    net = cw.load("scenes")
    alike = maximize(net, unit("layer2", 5), pictures=3, steps=24)
    apart = maximize(net, unit("layer2", 5) + 10 * diversity("layer2"), pictures=3, steps=24)
    assert not np.array_equal(alike[0].picture, alike[1].picture)

    def cosine(found):
        maps = net.module.layer2(net.module.layer1(net.module.relu(net.module.bn1(net.module.conv1(
            torch.from_numpy(np.stack([one.input for one in found])))))))  # fmt: skip
        grams = [(each.flatten(1) @ each.flatten(1).T).flatten() for each in maps.detach()]
        return np.mean([torch.cosine_similarity(a, b, dim=0) for k, a in enumerate(grams) for b in grams[:k]])

    assert cosine(apart) < cosine(alike) - 0.1


def test_the_pass_ends_at_the_deepest_layer():
    class Late(nn.Module):
        calls = 0

        def forward(self, x):
            Late.calls += 1
            return x

    net = cw.bind(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), Late(), nn.Linear(144, 3)), input_shape=(3, 8, 8)
    )
    net.why_alone(), net.classes
    Late.calls = 0
    maximize(net, [unit("0", 1), unit("1", 2)], steps=3)
    assert Late.calls == 0
    maximize(net, [unit("0", 1), target(1)], steps=3)
    assert Late.calls == 4  # with the score at the end


# what is promised of every run


@pytest.mark.parametrize("preset", MAXIMIZE_PRESETS)
def test_the_same_seed_gives_the_same_picture_and_another_seed_another(preset):
    net = bound()
    options = {"preset": preset, "steps": 9, "start": "noise"}
    one, again, other = (maximize(net, unit("3", 2), seed=seed, **options).picture for seed in (5, 5, 6))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


@pytest.mark.parametrize("preset", MAXIMIZE_PRESETS)
@pytest.mark.parametrize("image", ["pixels", "fourier", "maco"])
def test_pictures_stay_between_black_and_white(preset, image):
    net = cw.load("scenes")
    found = maximize(net, target("3"), preset=preset, image=image, start="noise", lr=0.5, steps=12)
    assert found.picture.shape == (64, 64, 3) and found.picture.dtype == np.float32
    assert found.picture.min() >= 0 and found.picture.max() <= 1 and found.picture.std() > 0.05
    np.testing.assert_allclose(net.intensities(torch.from_numpy(found.input)), found.picture, atol=1e-5)
    np.testing.assert_allclose(net.prepare(found.picture)[0], found.input, atol=1e-5)


def test_the_network_is_left_as_it_was():
    net = bound()
    net.module.train()
    _ = net.layers, net.classes
    state = torch.get_rng_state()
    with unchanged(net.module):
        maximize(net, [unit("3", 2), target(1) + diversity("0")], pictures=2, steps=3)
        with pytest.raises(cw.Cancelled):
            maximize(net, unit("3", 2), steps=30, cancel=CancelAt(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in net.module.parameters())


def test_what_was_found_before_it_was_cancelled_is_not_lost():
    with pytest.raises(cw.Cancelled) as stop:
        maximize(bound(), [unit("3", 2), unit("3", 4)], steps=30, cancel=CancelAt(2))
    assert [len(one.history) for one in stop.value.partial] == [2, 2]


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_it_does_not_matter_what_mode_the_caller_is_in(around):
    net = bound()
    expected = maximize(net, unit("3", 2), steps=3).picture
    with around():
        assert np.array_equal(maximize(net, unit("3", 2), steps=3).picture, expected)


def test_regularizers_may_be_switched_between_steps():
    ascent = Ascent(bound(), [unit("3", 2)], Ascending("pixels", "noise", "adam", 0.01, (Jitter(), RotateAndScale())))

    def blank():
        ascent.step()
        return (ascent.found()[0].input == 0).all(0).mean()

    first = blank()
    ascent.regularizers = (ClipSmall(50), L2())
    assert first == 0 and blank() == 0.5
    ascent.regularizers = (Blur(1.0, 3),)
    before = ascent.found()[0].picture
    ascent.step()
    after = ascent.found()[0].picture
    assert np.square(np.diff(after, axis=0)).sum() < 0.5 * np.square(np.diff(before, axis=0)).sum()


def test_a_start_from_a_picture_begins_with_it_and_a_dream_of_a_layer_makes_more_of_what_is_there():
    net, photo = cw.load("scenes"), cw.samples.scenes(size=1)[0][0]
    same = maximize(net, layer("layer2"), start=photo, steps=0, image="pixels")
    np.testing.assert_allclose(same.input, net.prepare(photo)[0], atol=1e-5)
    found = maximize(net, layer("layer2"), preset="Simonyan 2013", start=photo, steps=10)
    assert found.score > 2 * same.score and 0.5 < np.corrcoef(found.picture.ravel(), same.picture.ravel())[0, 1] < 1


def test_features_of_the_first_layer_bring_the_picture_back_and_those_of_the_last_do_not():
    net, photo = cw.load("scenes"), cw.samples.scenes(size=1)[0][0]
    near, far = (
        maximize(net, inversion(name, photo), regularizers=[], steps=100).input.ravel() for name in ("bn1", "layer3")
    )
    wanted = net.prepare(photo)[0].numpy().ravel()
    assert np.corrcoef(near, wanted)[0, 1] > 0.95 and np.corrcoef(far, wanted)[0, 1] < 0.5


# the bundled network


def test_every_class_of_scenes_has_a_picture_that_is_this_class():
    net = cw.load("scenes")
    found = maximize(net, [target(name) for name in net.classes], steps=48)
    chances = net.probabilities(torch.from_numpy(np.stack([one.input for one in found])))
    assert chances.diagonal().min() > 0.99


def test_maximized_pictures_beat_the_best_of_the_test_pictures_for_nearly_all_units():
    net, data = cw.load("scenes"), cw.samples.scenes(size=200)
    maps = net.trace([data[k][0] for k in range(len(data))], ["layer3"])["layer3"]
    best = maps.mean((2, 3)).amax(0)
    found = maximize(net, [unit("layer3", k) for k in range(64)], steps=16)
    beaten = np.array([one.score for one in found]) > best.numpy()
    assert beaten.mean() >= 0.95 and not any(note for one in found for note in one.notes if "gradient" in note)


# pictures that stay gray


def gray(net, objective, **options):
    (note,) = [note for note in maximize(net, objective, steps=4, **options).notes if "gradient" in note]
    return note


def closed(bias):
    """A ReLU unit 0 whose sum is 10 * (mean of the picture) + bias, and unit 1 that is open."""
    conv = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        conv.weight[:], conv.bias[:] = torch.tensor([10.0, 1.0]).reshape(2, 1, 1, 1), torch.tensor([bias, 5.0])
    return cw.bind(nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)), input_shape=(1, 4, 4))


def test_a_dead_unit_is_said_to_be_dead_and_a_blocked_one_blocked():
    dead = gray(closed(-1e6), unit("1", 0))
    assert dead == (
        "no gradient reaches the picture: unit 0 of 1 gives 0 for it and for 16 pictures of noise, it may be dead; "
        "unit 0 of 0, before the ReLU, or noise, another seed or a picture that excites it to start from may help"
    )
    blocked = gray(closed(-9), unit("1", 0))
    assert blocked.startswith(
        "no gradient reaches the picture: unit 0 of 1 gives 0 everywhere for it: its ReLU is closed, but other pictures "
    )
    still = maximize(closed(-9), unit("1", 0), preset="Simonyan 2013", steps=4)
    assert not still.picture.any() and still.score == 0
    assert maximize(closed(-9), unit("0", 0), preset="Simonyan 2013", lr=0.2, steps=9).picture.all()  # before the ReLU
    assert not [note for note in maximize(closed(-9), unit("1", 1), steps=4).notes if "gradient" in note]


def test_a_layer_that_passes_nothing_on_is_named_and_so_is_a_score_that_does_not_change():
    net = closed(-9)
    with torch.no_grad():
        net.module[0].bias[:] = -1e6
    assert gray(net, target(1)).startswith("no gradient reaches the picture: 1 gives 0 everywhere for it")
    net = cw.bind(Function(lambda self, x: ((x > 2).float() + 1).mean((2, 3))), input_shape=(3, 4, 4))
    assert "the score does not change with any pixel" in gray(net, target(1))


def test_a_picture_that_comes_to_a_stop_says_since_when():
    class Steep(nn.Module):
        def forward(self, x):
            mean = x.mean((2, 3))
            return torch.where(mean < 0.6, mean, torch.ones_like(mean))

    net = cw.bind(Steep(), input_shape=(1, 4, 4))
    found = maximize(net, target(0), image="pixels", start=np.full((4, 4), 0.5, np.float32), rule="normalized gradient",
                     lr=0.06, regularizers=(), steps=6)  # fmt: skip
    assert found.notes[-1].startswith("no gradient reaches the picture since step 2: the score does not change")


def test_black_and_white_that_are_not_known_are_told():
    net = cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(5 * 16, 2)), input_shape=(5, 4, 4))
    found = maximize(net, target(0), steps=2)
    assert UNKNOWN_RANGE in found.notes and found.picture.shape == (4, 4, 5)
    np.testing.assert_allclose(found.picture.transpose(2, 0, 1), found.input)


def test_the_user_s_own_preprocessing_says_what_black_and_white_are():
    def preprocess(image):
        return 255 - torch.from_numpy(np.array(image.convert("L"), np.float32))[None]

    net = cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), input_shape=(1, 4, 4), preprocess=preprocess)
    found = maximize(net, target(0), steps=3, start="noise")
    np.testing.assert_allclose(found.input[0], 255 * (1 - found.picture), atol=1e-3)


# refusals


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"objective": unit("conf2", 0)}, KeyError, "no layer 'conf2'. Did you mean 'conv2'"),
        ({"objective": unit("conv2", 16)}, ValueError, "there is no unit 16: conv2 has 16, numbered from 0"),
        ({"objective": unit("conv2", 1, 10, 0)}, ValueError, "there is no row 10: conv2 has 10, numbered from 0"),
        ({"objective": target("seven")}, ValueError, "there is no class 'seven'"),
        ({"objective": target(10)}, ValueError, "there is no class 10: the network has 10, numbered from 0"),
        ({"objective": layer("conf2")}, KeyError, "Did you mean 'conv2'"),
        ({"objective": diversity("conf2")}, KeyError, "Did you mean 'conv2'"),
        ({"objective": inversion("conf2", torch.zeros(1, 32, 32))}, KeyError, "Did you mean 'conv2'"),
        ({"objective": "7"}, TypeError, r"objective is '7'; expected unit\('layer3', 17\), target\('7'\)"),
        ({"objective": []}, ValueError, "the list of objectives is empty"),
        ({"preset": "Olah 2016"}, ValueError, "preset is 'Olah 2016'; expected one of .* Did you mean 'Olah 2017'"),
        ({"image": "fourrier"}, ValueError, "image is 'fourrier'; .* Did you mean 'fourier'"),
        ({"rule": "SGD"}, ValueError, "rule is 'SGD'; expected one of 'gradient'"),
        ({"lr": 0}, ValueError, "lr is 0; expected a number above 0"),
        ({"steps": -1}, ValueError, "steps is -1; expected a whole number of at least 0"),
        ({"pictures": 0}, ValueError, "pictures is 0; expected a whole number of at least 1"),
        ({"batch_size": 0}, ValueError, "batch_size is 0; expected a whole number of at least 1"),
        ({"start": "zero"}, FileNotFoundError, "start: there is no file 'zero' .*; expected 'zeros', 'noise' or a picture"),
        ({"regularizers": ["blur"]}, TypeError, "a regularizer is 'blur'; expected one of cw.methods.regularizers"),
        ({"image": "maco", "start": "zeros"}, ValueError, "a picture of one color has no magnitudes to keep"),
        ({"stepz": 3}, TypeError, "maximize has no 'stepz'. Did you mean 'steps'"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(options, kind, sentence):
    options = {"objective": target(1), "steps": 1, **options}
    with pytest.raises(kind, match=sentence):
        maximize(cw.load("digits"), **options)
