"""Copies of a picture changed by chance: torch by hand says of each what the method says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

import cnnwidgets as cw
from cnnwidgets.methods import AUGMENTATIONS, stability
from cnnwidgets.methods.code.pictures import picture_lines
from tests.methods.small import bound, picture, small

NET, PICTURE = bound(), picture()
LAYER = "5"  # the last ReLU: 8 maps


def by_hand(model: nn.Module, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities (N, 4), and the features of the last ReLU (N, 8)."""
    with torch.no_grad():
        maps = model[:6](pictures)
        return model[6:](maps).softmax(1), maps.mean((2, 3))


def test_strength_0_changes_nothing():
    found = stability(NET, PICTURE, ["rotate", "noise", "erase"], [0.0], copies=3)
    answers, _ = by_hand(NET.module, PICTURE[None])
    np.testing.assert_allclose(found.values, np.full((1, 3), answers.max()), rtol=1e-5)
    np.testing.assert_allclose(found.similarity, 1, rtol=1e-6)
    assert found.kept.tolist() == [1] and found.target == int(answers.argmax()) == found.averaged.argmax()


def test_a_flip_at_strength_1_is_the_mirrored_picture():
    found = stability(NET, PICTURE, ["flip"], [1.0], copies=2, layer=LAYER, target=2)
    mirrored = PICTURE.flip(-1)[None]
    (answers, features), (clean, own) = by_hand(NET.module, mirrored), by_hand(NET.module, PICTURE[None])
    np.testing.assert_allclose(found.values, np.full((1, 2), answers[0, 2]), rtol=1e-5)
    np.testing.assert_allclose(found.similarity, np.full((1, 2), F.cosine_similarity(features, own)), rtol=1e-5)
    np.testing.assert_allclose(found.answers, answers.expand(1, 2, -1), rtol=1e-5)
    assert found.clean == pytest.approx(float(clean[0, 2]), rel=1e-5)
    np.testing.assert_array_equal(found.pictures[0, 0], found.picture[:, ::-1])


def test_copies_are_those_that_torchvision_makes_after_the_seed():
    found = stability(NET, PICTURE, ["scale", "noise"], [0.4], copies=5, seed=7)
    change, made = v2.RandomAffine(0, scale=(0.8, 1.2), interpolation=v2.InterpolationMode.BILINEAR), []
    for k in range(5):
        with torch.random.fork_rng():
            torch.manual_seed(7 + k)
            one = change(PICTURE)
            made.append(one + 0.3 * 0.4 * torch.randn_like(one))
    answers, _ = by_hand(NET.module, torch.stack(made))
    np.testing.assert_allclose(found.answers[0], answers, rtol=1e-4)
    assert found.kept[0] == (answers.argmax(1) == found.said.argmax()).float().mean()


def test_a_copy_has_the_same_chance_at_each_strength():
    """The angle of a turn grows with the strength, and keeps its side."""
    line = torch.zeros(3, 48, 48)
    line[:, 23:25] = 1
    net = cw.bind(small(48), input_shape=(3, 48, 48))
    found = stability(net, line, ["rotate"], [0.25, 0.5], copies=6)
    rows, columns = np.mgrid[:48, :48] - 23.5
    angles = []
    for shown in found.pictures[..., 0] / 255.0:
        slopes = [(one * rows * columns).sum() / (one * columns**2).sum() for one in shown]
        angles.append(np.arctan(slopes))
    assert np.ptp(angles[1]) > 0.3
    np.testing.assert_allclose(angles[1], 2 * np.array(angles[0]), atol=0.04)


def test_the_global_generator_goes_on_as_if_nothing_was_drawn():
    before = torch.get_rng_state()
    for name in AUGMENTATIONS:
        net = cw.load("digits")
        stability(net, cw.samples.digits()[0][0], [name], [0.5], copies=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_other_pictures_say_what_a_cosine_means():
    others = [picture(seed=k) for k in (1, 2, 3)]
    found = stability(NET, PICTURE, ["flip"], [0.0], layer=LAYER, others=others)
    _, features = by_hand(NET.module, torch.stack([PICTURE, *others]))
    assert found.others == pytest.approx(float(F.cosine_similarity(features[1:], features[:1]).mean()), rel=1e-5)
    assert np.isnan(stability(NET, PICTURE, ["flip"], [0.0]).others)


class Values(nn.Module):
    """A regression, whose answer is also one's own score."""

    def forward(self, x):
        return torch.stack([x.mean((1, 2, 3)), x.amax((1, 2, 3))], 1)


def test_a_regression_has_values_and_no_classes():
    net = cw.bind(nn.Sequential(nn.Conv2d(3, 2, 1), Values()), input_shape=(3, 8, 8), outputs="values")
    found = stability(net, picture(8), ["flip"], [0.0, 1.0], copies=2)
    assert found.quantity == "value" and found.answers is found.kept is found.averaged is None
    np.testing.assert_allclose(found.values, found.clean, rtol=1e-4)  # the mean, which a flip does not change
    assert found.sentence(1, net.classes).startswith("At strength 1, the value is ")


def test_a_function_of_the_output_is_watched():
    def contrast(output):
        return output[:, 0] - output[:, 1]

    found = stability(NET, PICTURE, ["flip"], [1.0], copies=1, target=contrast)
    with torch.no_grad():
        scores = NET.module(PICTURE.flip(-1)[None])
    assert found.target == "contrast" and found.quantity == "value"
    np.testing.assert_allclose(found.values, [[float(scores[0, 0] - scores[0, 1])]], rtol=1e-4)


class Beside(nn.Module):
    """Its answer depends on the other pictures of the batch."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        x = self.conv(x - x.mean(0, keepdim=True) * (len(x) > 1))
        return self.head(x.relu().mean((2, 3)))


def test_pictures_that_must_be_shown_alone_are():
    torch.manual_seed(0)
    model = Beside().eval()
    found = stability(cw.bind(model, input_shape=(3, 8, 8)), picture(8), ["flip"], [1.0], copies=3, target=1)
    with torch.no_grad():
        alone = model(picture(8).flip(-1)[None]).softmax(1)[0, 1]
    np.testing.assert_allclose(found.values, np.full((1, 3), alone), rtol=1e-5)


def test_its_code_gives_the_same_values():
    net, data = cw.load("digits"), cw.samples.digits()
    found = stability(net, data[3][0], ["rotate", "crop", "color"], [0.0, 0.6], copies=3, seed=5)
    names: dict = {}
    with torch.random.fork_rng():
        exec(f"{picture_lines(net, 3, data)}\n{found.code(net)}", names)
    np.testing.assert_allclose(names["values"], found.values, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augmentations": ["rotat"]}, "augmentations is 'rotat'; expected one of .* Did you mean 'rotate'"),
        ({"augmentations": ["color"]}, "colors can be changed only where the data set says its mean and std"),
        ({"strengths": [0.5, 1.5]}, r"strengths: expected numbers between 0 and 1, got \[0.5, 1.5\]"),
        ({"strengths": []}, r"strengths: expected numbers between 0 and 1, got \[\]"),
        ({"copies": 0}, "copies is 0; expected a whole number of at least 1"),
        ({"target": 9}, "there is no class 9"),
    ],
)
def test_what_cannot_be_asked_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        stability(NET, PICTURE, **options)


def test_cancel_keeps_the_strengths_so_far():
    seen: list[float] = []

    class After:
        def is_set(self):
            return len(seen) == 2

    with pytest.raises(cw.Cancelled) as stopped:
        stability(NET, PICTURE, on_update=lambda partial, share: seen.append(share), cancel=After())
    assert stopped.value.partial.strengths.tolist() == [0.0, 0.1]
    assert seen == pytest.approx([1 / 11, 2 / 11])
